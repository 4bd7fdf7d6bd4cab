import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "./histogram.ts";
import {
  addCounts,
  emptyCounts,
  type HubCounts,
  totalsOf,
  type WorkerCounts,
  zeros,
} from "./worker-counts.ts";

function durations(...seconds: number[]) {
  const histogram = new Histogram();
  for (const each of seconds) histogram.observe(each);
  return histogram.counts();
}

/** Every number is there, and none is 0. */
function served(times: number): HubCounts {
  return {
    connections: times,
    messagesReceivedTotal: 2 * times,
    bytesReceivedTotal: 3 * times,
    upstream: {
      carrier: "http",
      inflight: 4 * times,
      heldConnections: 5 * times,
      retries: 6 * times,
      dropped: { connected: 7 * times, message: 8 * times },
      abandoned: { "service-error": 9 * times },
      incidents: { disconnect: 10 * times },
      pushes: { executed: 11 * times },
      durations: { message: durations(...new Array<number>(times).fill(0.25)) },
    },
  };
}

function full(times: number): WorkerCounts {
  return {
    connections: times,
    handshakesPending: 2 * times,
    acceptPausesTotal: 5 * times,
    openedTotal: 3 * times,
    closedTotal: { "client-gone": 4 * times, "idle-timeout": 5 * times },
    refusedTotal: { 400: 6 * times },
    messagesSentTotal: 7 * times,
    bytesSentTotal: 8 * times,
    messagesDroppedTotal: { "drop-oldest": 9 * times },
    memory: { parked: 10 * times, max: 11 * times },
    hubs: { chat: served(times) },
    turns: durations(...new Array<number>(times).fill(0.25)),
    turnSecondsMax: 12,
  };
}

test("counts add up, every one of them", () => {
  assert.deepEqual(addCounts(full(1), full(2)), full(3));
});

test("nothing counted changes nothing, on either side", () => {
  assert.deepEqual(addCounts(emptyCounts(), full(1)), full(1));
  assert.deepEqual(addCounts(full(1), emptyCounts()), full(1));
});

test("what only one of two has counted is kept", () => {
  const echo: HubCounts = { ...served(1), upstream: undefined };
  const a = { ...full(1), closedTotal: { a: 1 }, hubs: { a: served(1), shared: echo } };
  const b = { ...full(1), closedTotal: { b: 2 }, hubs: { b: served(2), shared: served(1) } };
  const sum = addCounts(a, b);
  assert.deepEqual(sum.closedTotal, { a: 1, b: 2 });
  assert.deepEqual([sum.hubs.a, sum.hubs.b], [served(1), served(2)]);
  assert.deepEqual(sum.hubs.shared?.upstream, served(1).upstream);
});

test("adding leaves both as they were", () => {
  const [a, b] = [full(1), full(2)];
  addCounts(a, b);
  assert.deepEqual([a, b], [full(1), full(2)]);
});

test("of a worker that ended its totals stay, and what it had open or held does not", () => {
  const before = full(2);
  const totals = totalsOf(before);
  const { upstream } = served(2);
  assert.ok(upstream !== undefined);
  assert.deepEqual(totals, {
    ...full(2),
    connections: 0,
    handshakesPending: 0,
    memory: {},
    turnSecondsMax: 0,
    hubs: {
      chat: {
        ...served(2),
        connections: 0,
        upstream: { ...upstream, inflight: 0, heldConnections: 0 },
      },
    },
  });
  assert.deepEqual(before, full(2));
});

test("of a hub without a service the totals stay as well", () => {
  const echo = { ...served(1), upstream: undefined };
  const { hubs } = totalsOf({ ...emptyCounts(), hubs: { echo } });
  assert.deepEqual(hubs, { echo: { ...echo, connections: 0 } });
});

test("each name has a counter at 0", () => {
  assert.deepEqual(zeros(["a", "400"]), { a: 0, 400: 0 });
});
