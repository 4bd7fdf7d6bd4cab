/**
 * A client whose service is down for longer than all of its clocks together: it stays, and what
 * it sent arrives. The long run does the same with the limits that the gateway has by default.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HttpService } from "./support/http-service.ts";
import { ObservedClient } from "./support/observed-client.ts";
import { propertyRuns } from "./support/seed.ts";

const MESSAGES = 100;
/** From the service's return to the last message. */
const RECOVERY_TIMEOUT_MS = 5000;

const isLongRun = propertyRuns(0, 10) === 10;

async function holdFor(downMs: number, limits: string): Promise<void> {
  const service = await HttpService.start();
  const gateway = await GatewayProcess.start(
    `main: { paths: [/], service: '${service.url}' }`,
    `limits: ${limits}`,
  );
  const url = `ws://127.0.0.1:${gateway.port}/`;
  // One whose window is full, so that it is not read; one that is read, and answers pings; and
  // one that has sent nothing, for which the gateway holds nothing.
  const [full, open, silent] = (await Promise.all(
    Array.from({ length: 3 }, () => ObservedClient.open(url)),
  )) as [ObservedClient, ObservedClient, ObservedClient];
  await service.until(() => service.of("connected").length === 3, "three connected");
  await service.stop();
  const texts = Array.from({ length: MESSAGES }, (_, index) => `message ${index + 1}`);
  for (const text of texts) full.send(text);
  open.send("the only one");
  await delay(downMs);
  for (const client of [full, open, silent]) assert.equal(client.closed, undefined);
  await service.listen();
  const received = () => service.of("message").length;
  await service.until(() => received() >= MESSAGES + 1, "every message", RECOVERY_TIMEOUT_MS);
  const only = service.of("message").filter(({ text }) => text === "the only one");
  const others = service.of("message").filter(({ text }) => text !== "the only one");
  assert.deepEqual(
    others.map(({ messageNumber, text }) => [messageNumber, text]),
    texts.map((text, index) => [index + 1, text]),
  );
  assert.deepEqual(
    only.map(({ messageNumber }) => messageNumber),
    [1],
  );
  // All three are as alive as before.
  service.answer = ({ text }) => ({ body: text, headers: { "content-type": "text/plain" } });
  for (const client of [full, open, silent]) {
    client.send("and now?");
    assert.deepEqual(await client.received(1), ["and now?"]);
    await client.close();
  }
  assert.equal(await gateway.stop(), 0);
  await service.stop();
}

describe("a client whose service is down", () => {
  test("stays longer than its clocks would let it, and all it sent arrives", () =>
    holdFor(
      6000,
      "{ pingIntervalMs: 500, pongTimeoutMs: 500, idleTimeoutMs: 1000, holdTimeoutMs: 20000 }",
    ));

  test(
    "for 40 s stays by the default limits too",
    { skip: isLongRun ? false : "takes 40 s: npm run test:long" },
    () => holdFor(40_000, "{ holdTimeoutMs: 60000 }"),
  );
});
