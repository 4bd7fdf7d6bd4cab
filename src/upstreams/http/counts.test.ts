/** What the carrier counts for the metrics. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { startBench } from "./fixtures.test.helper.ts";

/** The events that have durations, with their number. */
function requestsOf({ durations }: ReturnType<Bench["upstream"]["counts"]>) {
  return Object.fromEntries(
    Object.entries(durations).map(([event, { buckets }]) => [
      event,
      buckets.reduce((sum, count) => sum + count, 0),
    ]),
  );
}

type Bench = Awaited<ReturnType<typeof startBench>>;

function nonzero(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

test("each request is in the durations of its event, a failed one too, in seconds", async () => {
  const bench = await startBench();
  assert.deepEqual(requestsOf(bench.upstream.counts()), {
    connect: 0,
    connected: 0,
    message: 0,
    disconnected: 0,
  });
  const statuses = [503, 204];
  bench.service.respond = (received, response) => {
    const isMessage = received.headers["ce-type"] === "headgate.user.message";
    response.writeHead(isMessage ? (statuses.shift() ?? 204) : 204).end();
  };
  const request = { path: "/", params: {}, query: {}, headers: {}, subprotocols: [] };
  await bench.upstream.connect({ connectionId: "a", address: "::1", ...request }, 5000);
  bench.sink.open(1);
  const startMs = performance.now();
  bench.upstream.connected(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.upstream.disconnected(1, "client-gone", 1006);
  await until(() => bench.upstream.counts().lanes === 0);
  const tookSeconds = (performance.now() - startMs) / 1000;
  const counts = bench.upstream.counts();
  assert.deepEqual(requestsOf(counts), { connect: 1, connected: 1, message: 3, disconnected: 1 });
  const { sum = 0 } = counts.durations.message ?? {};
  assert.ok(sum > 0 && sum <= tookSeconds, `${sum} s of ${tookSeconds} s`);
  assert.deepEqual([counts.carrier, counts.inflight, counts.retries], ["http", 0, 1]);
});

test("messages that are given up are counted by the reason, and by their kind", async () => {
  const bench = await startBench();
  const { abandoned, dropped } = bench.upstream.counts();
  assert.deepEqual([nonzero(abandoned), nonzero(dropped)], [{}, {}]);
  assert.ok("service-error" in abandoned && "gateway-stopping" in abandoned);
  bench.service.respond = (_request, response) => void response.writeHead(400).end();
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.sink.failed = (place) => bench.upstream.disconnected(place, "service-refused", 1008);
  await until(() => bench.upstream.counts().lanes === 0);
  const counts = bench.upstream.counts();
  assert.deepEqual(nonzero(counts.abandoned), { "service-refused": 2 });
  assert.deepEqual(nonzero(counts.dropped), { message: 2, disconnected: 1 });
  assert.deepEqual([nonzero(abandoned), nonzero(dropped)], [{}, {}], "copies do not change");
});
