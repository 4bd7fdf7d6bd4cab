import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { connectRequest } from "../fixtures.test.helper.ts";
import type { Bench } from "./fixtures.test.helper.ts";
import { hang, startBench } from "./fixtures.test.helper.ts";

function consenting(bench: Bench, allowed: string | string[] | undefined, status = 200): void {
  bench.service.respond = (received, response) => {
    const isQuestion = received.method === "OPTIONS";
    if (isQuestion && allowed !== undefined) response.setHeader("WebHook-Allowed-Origin", allowed);
    response.writeHead(isQuestion ? status : 204).end();
  };
}

const grants: (string | string[])[] = [
  "*",
  "gateway.example",
  "Gateway.Example",
  "other.example, gateway.example",
  ["other.example", "gateway.example"],
];

for (const allowed of grants) {
  test(`WebHook-Allowed-Origin ${JSON.stringify(allowed)} is consent, asked for once`, async () => {
    const bench = await startBench({ consent: true });
    consenting(bench, allowed);
    const answers = await Promise.all([
      bench.upstream.connect(connectRequest, 5000),
      bench.upstream.connect(connectRequest, 5000),
    ]);
    assert.ok(answers.every((answer) => answer.accepted));
    bench.sink.open(1);
    bench.say(1, "hello");
    await until(() => bench.sink.count("acknowledged") === 1);
    const methods = bench.service.requests.map((received) => received.method);
    assert.deepEqual(methods, ["OPTIONS", "POST", "POST", "POST"]);
    const [question] = bench.service.requests;
    assert.equal(question?.headers["webhook-request-origin"], "gateway.example");
    assert.equal(question?.body.length, 0);
  });
}

const refusals: [string | undefined, number][] = [
  [undefined, 200],
  ["other.example", 200],
  ["gateway.example.evil", 200],
  ["*", 404],
];

for (const [allowed, status] of refusals) {
  test(`${status} with WebHook-Allowed-Origin ${allowed} is none: 503 and no event`, async () => {
    const bench = await startBench({ consent: true, limits: { holdTimeoutMs: 30 } });
    consenting(bench, allowed, status);
    bench.sink.open(1);
    bench.say(1, "never");
    const first = await bench.upstream.connect(connectRequest, 5000);
    const second = await bench.upstream.connect(connectRequest, 5000);
    assert.ok(!first.accepted && first.status === 503);
    assert.ok(!second.accepted && second.status === 503);
    await until(() => bench.sink.count("fail") === 1);
    assert.deepEqual(bench.sink.calls, [{ call: "fail", place: 1, reason: "service-unavailable" }]);
    const methods = bench.service.requests.map((received) => received.method);
    assert.deepEqual(methods, ["OPTIONS"], "asked again after ten seconds at the earliest");
    assert.ok(bench.log.has("error", "does not consent"));
  });
}

test("waiting in vain for a service to say whether it consents is told as that", async () => {
  const bench = await startBench({ consent: true });
  bench.service.respond = hang;
  const answer = await bench.upstream.connect(connectRequest, 50);
  assert.ok(!answer.accepted && answer.status === 503);
  const [line] = await bench.log.find(/connect event/);
  const cause = "it has not said yet whether it consents to our events";
  assert.equal(line?.fields.cause, cause);
});

test("a service that was not there to consent gets the event once it does", async () => {
  const bench = await startBench({ consent: true });
  const { port } = bench.service;
  consenting(bench, "*");
  await bench.service.stop();
  bench.sink.open(1);
  bench.say(1, "hello");
  await until(() => bench.upstream.counts().isDown);
  assert.equal((await bench.upstream.connect(connectRequest, 5000)).accepted, false);
  await bench.service.listen(port);
  await until(() => bench.sink.count("acknowledged") === 1);
  const methods = bench.service.requests.map((received) => received.method);
  assert.deepEqual(methods, ["OPTIONS", "POST"]);
});
