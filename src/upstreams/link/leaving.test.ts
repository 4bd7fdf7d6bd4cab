/** Links that take nothing new any more, and what is still under way on them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { ACKNOWLEDGE, CLOSE, CONNECT, CONNECT_ANSWER, SERVICE_GOODBYE } from "../../link/frame.ts";
import { connectRequest } from "../fixtures.test.helper.ts";
import { Instance, type ServiceLink, startBench } from "./fixtures.test.helper.ts";

describe("the only instance says goodbye, and events under way on its link", () => {
  test("are not waiting for a service: the hold time is not for them", async () => {
    const instance = await Instance.start();
    instance.welcome.eventsMax = 2;
    instance.respond = () => {};
    const bench = startBench([instance.url], { limits: { holdTimeoutMs: 300 } });
    bench.open(1);
    bench.open(2);
    bench.say(1, "a", "b", "c");
    await instance.until(() => instance.events.length === 2);
    const { link } = instance;
    link.send({ type: SERVICE_GOODBYE });
    await until(() => bench.upstream.counts().links === 0);
    bench.say(2, "x");
    await until(() => bench.sink.count("fail", 2) === 1);
    link.send({ type: ACKNOWLEDGE, channel: 1, events: 1 });
    await until(() => bench.sink.count("acknowledged", 1) === 1);
    instance.respond = (other, { channel }) => {
      other.send({ type: ACKNOWLEDGE, channel, events: 1 });
    };
    link.send({ type: ACKNOWLEDGE, channel: 1, events: 1 });
    await until(() => bench.sink.count("acknowledged", 1) === 3);
    assert.equal(bench.sink.count("fail", 1), 0);
    assert.deepEqual(instance.texts(bench.idOf(1)), ["a", "b", "c"]);
    assert.equal(instance.links.length, 2);
    await until(() => bench.upstream.counts().inflight === 0);
  });
});

test("a connection whose disconnected finds no room leaves no channel behind", async () => {
  const instance = await Instance.start();
  const bench = startBench([instance.url], { more: { lifecycleQueueMax: 1 } });
  for (const place of [1, 2, 3]) {
    bench.open(place);
    bench.say(place, "a");
    await until(() => bench.sink.count("acknowledged", place) === 1);
  }
  const { link } = instance;
  instance.respond = () => {};
  bench.upstream.disconnected(1, "client-gone", 1006);
  bench.say(3, "b");
  await instance.until(() => instance.events.length === 5);
  bench.upstream.disconnected(2, "client-gone", 1006);
  bench.upstream.disconnected(3, "client-gone", 1006);
  assert.equal(bench.upstream.counts().dropped.disconnected, 2);
  await instance.until(() => link.of(CLOSE).length === 1);
  link.send({ type: ACKNOWLEDGE, channel: 3, events: 1 });
  await instance.until(() => link.of(CLOSE).length === 2);
  link.send({ type: ACKNOWLEDGE, channel: 1, events: 1 });
  await until(() => bench.upstream.counts().lanes === 0);
  const closed = link.of(CLOSE).map(({ channel }) => channel);
  assert.deepEqual(closed, [2, 3]);
  assert.equal(instance.links.length, 1);
});

test("a client that is still asked about when the time to close is over gets 503", async () => {
  const instance = await Instance.start();
  const bench = startBench([instance.url]);
  instance.intercept = (_link, frame) => frame.type === CONNECT;
  const answer = bench.upstream.connect(connectRequest, 60_000);
  await instance.until(() => instance.links[0]?.of(CONNECT).length === 1);
  await bench.upstream.close(10);
  const { accepted, ...refusal } = await answer;
  assert.equal(accepted, false);
  assert.ok("status" in refusal && refusal.status === 503);
});

test("a client that is asked about on a link that leaves is asked about on another", async () => {
  const instances = await Promise.all([Instance.start(), Instance.start()]);
  const bench = startBench(instances.map(({ url }) => url));
  const askedOf: ServiceLink[] = [];
  for (const instance of instances) {
    instance.intercept = (link, frame) => {
      if (frame.type !== CONNECT) return false;
      askedOf.push(link);
      const fields = { request: frame.request, contentType: "", connectionState: "" };
      const answer = { type: CONNECT_ANSWER, status: 204, ...fields } as const;
      if (askedOf.length === 1) {
        link.send({ type: SERVICE_GOODBYE });
        link.socket.end();
      } else link.send({ ...answer, bytes: Buffer.alloc(0), start: 0, end: 0 });
      return true;
    };
  }
  await until(() => bench.upstream.counts().links === 2);
  const { accepted } = await bench.upstream.connect(connectRequest, 5000);
  assert.equal(accepted, true);
  assert.equal(new Set(askedOf).size, 2);
});
