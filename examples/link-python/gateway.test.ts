/** service.py behind the real gateway: two workers and two instances, one of which goes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { GatewayProcess } from "../../test/support/gateway-process.ts";
import { ObservedClient } from "../../test/support/observed-client.ts";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { PythonService, skip } from "./gateway-side.test.helper.ts";

const services: PythonService[] = [];
afterEach(async () => {
  for (const service of services.splice(0)) await service.stop();
});

async function start(url: string): Promise<{ service: PythonService; url: string }> {
  const service = new PythonService(["--listen", url]);
  services.push(service);
  const at = await service.address();
  return { service, url: at.startsWith("/") ? `link+unix://${at}` : `link://${at}` };
}

/** `count` links of its workers are there. */
function untilLinked(gateway: GatewayProcess, count: number): Promise<void> {
  const links = () => gateway.records.filter(({ msg }) => msg === "linked to the service");
  return gateway.until(() => links().length >= count, `${count} links`);
}

test("a chat in Python serves clients of two workers", { skip }, async () => {
  const { url } = await start(`link+unix://${join(makeTemporaryFolder(), "chat.sock")}`);
  const hubs = `chat: { paths: [/chat], service: '${url}' }`;
  const gateway = await GatewayProcess.start(hubs, "workers: 2");
  await untilLinked(gateway, 2);
  const at = `ws://127.0.0.1:${gateway.port}/chat`;
  const refused = await ObservedClient.refused(at);
  assert.deepEqual([refused.status, refused.body], [400, "say who you are: ?name=Ada\n"]);
  const clients = await Promise.all(
    Array.from({ length: 6 }, (_, index) => ObservedClient.open(`${at}?name=client${index}`)),
  );
  const [ada] = clients as [ObservedClient];
  const hasWelcome = ({ messages }: ObservedClient) =>
    messages.some((message) => String(message).endsWith("you are in the lobby"));
  for (const client of clients) await client.until(() => hasWelcome(client), "its welcome");
  ada.send("hello");
  ada.send("again");
  const has = (client: ObservedClient, text: string) => client.messages.map(String).includes(text);
  await ada.until(() => has(ada, "accepted 1") && has(ada, "accepted 2"), "two answers");
  for (const client of clients.slice(1)) {
    await client.until(() => has(client, "client0: again"), "what Ada said");
  }
  await gateway.stop();
  assert.equal((await ada.untilClosed()).reason.endsWith("accepted=2"), true);
});

test("one instance that ends leaves its clients to the other", { skip }, async () => {
  const [first, second] = [await start("link://127.0.0.1:0"), await start("link://127.0.0.1:0")];
  const service = `{ url: '${first.url}', servers: ['${second.url}'] }`;
  const hubs = `chat: { paths: [/chat], service: ${service} }`;
  const gateway = await GatewayProcess.start(hubs, "workers: 1");
  await untilLinked(gateway, 2);
  const at = `ws://127.0.0.1:${gateway.port}/chat`;
  const clients = await Promise.all(
    Array.from({ length: 8 }, (_, index) => ObservedClient.open(`${at}?name=client${index}`)),
  );
  const answered = async (text: string) => {
    for (const client of clients) client.send("x");
    for (const client of clients) {
      await client.until(() => client.messages.map(String).includes(text), text);
    }
  };
  await answered("accepted 1");
  first.service.process.kill("SIGTERM");
  await answered("accepted 2");
  assert.equal(await first.service.exitCode(), 0);
  await answered("accepted 3");
  for (const client of clients) await client.close();
  await gateway.stop();
});
