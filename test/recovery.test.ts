/**
 * A service that was away and is there again: everybody is still connected, delivery begins within
 * five seconds, and not with everything at once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HttpService } from "./support/http-service.ts";
import { ObservedClient } from "./support/observed-client.ts";

const CLIENTS = 60;
const INFLIGHT_MAX = 8;
const RECOVERY_MS_MAX = 5000;

test("recovery begins within 5 s, with one request and then never too many", async () => {
  const service = await HttpService.start();
  const limits = `limits: { serviceInflightMax: ${INFLIGHT_MAX} }`;
  const gateway = await GatewayProcess.start(
    `main: { paths: [/], service: '${service.url}', ${limits} }`,
  );
  const url = `ws://127.0.0.1:${gateway.port}/`;
  const clients: ObservedClient[] = [];
  for (let count = 0; count < CLIENTS; count += 1) clients.push(await ObservedClient.open(url));
  await service.until(() => service.of("connected").length === CLIENTS, "all to be in");
  await service.stop();
  for (const client of clients) client.send("held");
  const outage = ({ msg }: { msg: string }) => msg.includes("cannot be reached");
  await gateway.record(outage);

  let underWay = 0;
  let peak = 0;
  let begun = 0;
  let underWayWithProbe = 0;
  service.answer = async () => {
    begun += 1;
    underWay += 1;
    peak = Math.max(peak, underWay);
    // Answered only when all the others could have come, had they not waited for it: each question
    // goes to the worker and back, so its loop has turned meanwhile.
    if (begun === 1) {
      for (let calls = 0; calls < 20; calls += 1)
        await gateway.api("HEAD", "/api/hubs/main/users/x");
      underWayWithProbe = underWay;
    }
    underWay -= 1;
    return { body: "taken", headers: { "content-type": "text/plain" } };
  };
  const backMs = performance.now();
  await service.listen();
  await service.until(() => begun > 0, "the probe", RECOVERY_MS_MAX);
  assert.ok(performance.now() - backMs < RECOVERY_MS_MAX);
  for (const client of clients) assert.deepEqual(await client.received(1), ["taken"]);
  assert.equal(underWayWithProbe, 1, "the others wait for the probe's answer");
  assert.ok(peak <= INFLIGHT_MAX, `${peak} requests at once`);
  assert.ok(clients.every(({ closed }) => closed === undefined));
  for (const client of clients) await client.close();
  assert.equal(await gateway.stop(), 0);
});
