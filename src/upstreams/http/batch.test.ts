/** What goes into a batch, and whose each answer is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { signEvent } from "../cloudevents/signature.ts";
import { connectRequest } from "../fixtures.test.helper.ts";
import type { BatchBench, BatchEvent } from "./batches.test.helper.ts";
import { startBatchBench } from "./batches.test.helper.ts";

/** Lets requests wait until they are let go. */
function gate(bench: BatchBench): { waiting: (() => void)[]; open(): void } {
  const { respond } = bench;
  const waiting: (() => void)[] = [];
  bench.respond = (events, response, request) => {
    waiting.push(() => respond(events, response, request));
  };
  return {
    waiting,
    open() {
      bench.respond = respond;
      for (const go of waiting.splice(0)) go();
    },
  };
}

function namesOf(batch: BatchEvent[] | undefined): string[] {
  return (batch ?? []).map(({ connectionid, data }) => `${connectionid} ${JSON.stringify(data)}`);
}

test("what waits goes in one request: of each connection all, in its order", async () => {
  const bench = await startBatchBench();
  for (const place of [1, 2]) {
    bench.sink.open(place);
    bench.upstream.connected(place);
  }
  for (const text of ["a", "b"]) for (const place of [1, 2]) bench.say(place, text);
  bench.upstream.disconnected(1, "client-gone", 1006);
  bench.sink.known.delete(1);
  await until(() => bench.upstream.counts().lanes === 0);
  assert.equal(bench.batches.length, 1);
  const gone = '{"reason":"client-gone","code":1006}';
  assert.deepEqual(namesOf(bench.batches[0]), [
    ...["connection.1 {}", 'connection.1 "a"', 'connection.1 "b"', `connection.1 ${gone}`],
    ...["connection.2 {}", 'connection.2 "a"', 'connection.2 "b"'],
  ]);
  assert.equal(bench.sink.count("acknowledged", 2), 2);
  assert.equal(new Set(bench.events().map(({ id }) => id)).size, 7);
});

test("a request of a batch says what it is, from whom, and is signed over its body", async () => {
  const bench = await startBatchBench({ signingKeys: ["key-one", "key-two"] });
  bench.sink.open(1, { userId: "ann" });
  bench.say(1, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  const [request] = bench.service.requests;
  assert.ok(request !== undefined);
  const { "headgate-signature": signature, ...headers } = request.headers;
  assert.deepEqual(headers, {
    host: `127.0.0.1:${bench.service.port}`,
    connection: "keep-alive",
    "content-length": String(request.body.length),
    "content-type": "application/cloudevents-batch+json; charset=utf-8",
    "webhook-request-origin": "gateway.example",
  });
  const seconds = Number(/^t=(\d+),/.exec(String(signature))?.[1]);
  const none = { id: "", type: "", source: "", userId: "", connectionState: "" };
  assert.equal(signature, signEvent("key-one", seconds, { ...none, body: request.body }));
});

test("connect is asked alone, in the binary form", async () => {
  const bench = await startBatchBench();
  bench.service.respond = (_request, response) => void response.writeHead(204).end();
  const answer = await bench.upstream.connect(connectRequest, 5000);
  assert.ok(answer.accepted);
  assert.equal(bench.service.of("connect").length, 1);
});

test("while a batch is under way the next ones gather, and no connection is in two", async () => {
  const bench = await startBatchBench({ limits: { batchesInflightMax: 2 } });
  const { waiting, open } = gate(bench);
  for (const place of [1, 2, 3, 4]) bench.sink.open(place);
  bench.say(1, "a");
  await until(() => waiting.length === 1);
  for (const place of [1, 2]) bench.say(place, "b");
  await until(() => waiting.length === 2);
  for (const place of [1, 2, 3, 4]) for (const text of ["c", "d"]) bench.say(place, text);
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
  assert.equal(bench.upstream.counts().inflight, 2);
  assert.deepEqual(bench.batches.map(namesOf), [['connection.1 "a"'], ['connection.2 "b"']]);
  open();
  await until(() => bench.sink.count("acknowledged") === 11);
  assert.equal(bench.service.inflightMax, 2);
  assert.deepEqual(bench.texts("connection.1"), ["a", "b", "c", "d"]);
  assert.deepEqual(bench.texts("connection.4"), ["c", "d"]);
  assert.ok(bench.batches.length <= 4, "3 and 4 came together, 1 and 2 with them or behind");
});

test("no batch has more than batchEventsMax, nor more bytes than batchBytesMax", async () => {
  const bench = await startBatchBench({ limits: { batchEventsMax: 5, batchBytesMax: 2048 } });
  for (let place = 1; place <= 10; place += 1) {
    bench.sink.open(place);
    for (const text of ["a", "b", "c"]) bench.say(place, text);
  }
  bench.sink.open(11);
  bench.say(11, "x".repeat(5000));
  bench.say(11, "y".repeat(1000));
  bench.say(11, "z".repeat(1000));
  await until(() => bench.sink.count("acknowledged") === 33);
  for (const [index, batch] of bench.batches.entries()) {
    assert.ok(batch.length <= 5);
    const { length = 0 } = bench.service.requests[index]?.body ?? {};
    assert.ok(length <= 2048 || batch.length === 1, `${length} bytes`);
  }
  assert.ok(bench.batches.some(({ length }) => length > 2));
  assert.deepEqual(bench.texts("connection.10"), ["a", "b", "c"]);
});

test("each answer goes to its own client, in order, with the state that it sets", async () => {
  const bench = await startBatchBench();
  bench.answer = ({ id, data, datacontenttype }) => {
    const connectionstate = data === "b" ? "after b" : undefined;
    return { id, status: 200, datacontenttype, data, connectionstate };
  };
  for (const place of [1, 2]) bench.sink.open(place);
  for (const text of ["a", "b"]) for (const place of [1, 2]) bench.say(place, text);
  await until(() => bench.sink.count("acknowledged") === 4);
  const call = "acknowledged" as const;
  const of = (place: number) => bench.sink.calls.filter((one) => one.place === place);
  assert.deepEqual(of(1), [
    { call: "reply", place: 1, opcode: TEXT, text: "a" },
    { call, place: 1, messages: 1, bytes: 1 },
    { call: "state", place: 1, connectionState: "after b" },
    { call: "reply", place: 1, opcode: TEXT, text: "b" },
    { call, place: 1, messages: 1, bytes: 1 },
  ]);
  assert.equal(of(2).length, 5);
  bench.say(1, "c");
  await until(() => bench.sink.count("acknowledged") === 5);
  assert.equal(bench.events().at(-1)?.connectionstate, "after b");
});

test("binary payloads travel as base64, there and back", async () => {
  const bench = await startBatchBench();
  bench.answer = ({ id, data_base64 }) => ({ id, status: 200, data_base64 });
  bench.sink.open(1);
  const bytes = Buffer.from([0xff, 0x00, 0xc3, 0x28]);
  bench.upstream.message(1, 1, BINARY, bytes, 0, bytes.length);
  await until(() => bench.sink.count("acknowledged") === 1);
  const text = bytes.toString("latin1");
  assert.deepEqual(bench.sink.calls[0], { call: "reply", place: 1, opcode: BINARY, text });
});

test("a client that leaves while its batch is under way gets no answer", async () => {
  const bench = await startBatchBench();
  bench.answer = ({ id, data }) => ({ id, status: 200, data, connectionstate: "s" });
  const { waiting, open } = gate(bench);
  for (const place of [1, 2]) {
    bench.sink.open(place);
    for (const text of ["a", "b"]) bench.say(place, text);
  }
  await until(() => waiting.length === 1);
  bench.say(1, "c");
  bench.upstream.disconnected(1, "client-gone", 1006);
  bench.sink.known.delete(1);
  open();
  await until(() => bench.upstream.counts().lanes === 0);
  assert.equal(bench.sink.calls.filter(({ place }) => place === 1).length, 0);
  assert.equal(bench.sink.count("acknowledged", 2), 2);
  const last = bench.events().slice(-2);
  assert.deepEqual(
    last.map(({ eventname, connectionstate }) => [eventname, connectionstate]),
    [
      ["message", "s"],
      ["disconnected", "s"],
    ],
  );
});

test("what comes of an answer, a client that leaves or sends on, keeps its place", async () => {
  const bench = await startBatchBench();
  const more = ["c", "d"];
  bench.sink.acknowledgedHook = (place) => {
    const text = place === 1 ? more.shift() : undefined;
    if (text !== undefined) bench.say(1, text);
    if (place === 2 && bench.sink.known.delete(2)) {
      bench.upstream.disconnected(2, "client-gone", 1006);
    }
  };
  for (const place of [1, 2]) {
    bench.sink.open(place);
    for (const text of ["a", "b"]) bench.say(place, text);
  }
  await until(() => bench.upstream.counts().lanes === 0);
  assert.deepEqual(bench.texts("connection.1"), ["a", "b", "c", "d"]);
  assert.deepEqual(bench.texts("connection.2"), ["a", "b"]);
  assert.equal(bench.sink.count("acknowledged", 2), 1, "the sink knew it no longer");
  assert.equal(bench.events().at(-1)?.connectionid.startsWith("connection."), true);
});

test("a service that is not there and comes back gets everything once, in order", async () => {
  const bench = await startBatchBench();
  const { port } = bench.service;
  await bench.service.stop();
  for (let place = 1; place <= 20; place += 1) {
    bench.sink.open(place);
    bench.upstream.connected(place);
    for (const text of ["a", "b", "c"]) bench.say(place, text);
  }
  await until(() => bench.upstream.counts().isDown);
  assert.equal(bench.upstream.counts().heldConnections, 20);
  await bench.service.listen(port);
  await until(() => bench.sink.count("acknowledged") === 60);
  for (let place = 1; place <= 20; place += 1) {
    assert.deepEqual(bench.texts(`connection.${place}`), ["a", "b", "c"]);
  }
  assert.equal(bench.upstream.counts().isDown, false);
});

test("each event of a batch is in the durations of its kind; a batch is one request", async () => {
  const bench = await startBatchBench();
  const { waiting, open } = gate(bench);
  bench.sink.open(1);
  bench.upstream.connected(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  await until(() => waiting.length === 1);
  assert.equal(bench.upstream.counts().inflight, 1);
  open();
  await until(() => bench.upstream.counts().lanes === 0);
  const { durations, inflight } = bench.upstream.counts();
  const total = (name: string) => durations[name]?.buckets.reduce((sum, count) => sum + count, 0);
  assert.deepEqual(["connected", "message", "disconnected"].map(total), [1, 2, 0]);
  assert.equal(inflight, 0);
});

test("closing sends what waits, and gives up what is under way when its time is over", async () => {
  const bench = await startBatchBench();
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  await bench.upstream.close(5000);
  assert.equal(bench.sink.count("acknowledged"), 2);
  const other = await startBatchBench();
  other.respond = () => {};
  other.sink.open(1);
  for (const text of ["a", "b"]) other.say(1, text);
  await until(() => other.batches.length === 1);
  other.say(1, "c");
  await other.upstream.close(20);
  assert.equal(other.upstream.counts().dropped.message, 3);
  assert.deepEqual(other.sink.calls, []);
});
