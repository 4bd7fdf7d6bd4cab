import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { makeTemporaryFolder } from "../../../test/support/temporary-folder.ts";
import { until } from "../../../test/support/until.ts";
import {
  ACKNOWLEDGE,
  CREDIT,
  GATEWAY_GOODBYE,
  OPEN,
  SERVICE_GOODBYE,
  WELCOME,
} from "../../link/frame.ts";
import { connectRequest } from "../fixtures.test.helper.ts";
import { Instance, startBench } from "./fixtures.test.helper.ts";

const hang = () => {};

async function startInstances(count: number): Promise<Instance[]> {
  return Promise.all(Array.from({ length: count }, () => Instance.start()));
}

/** The connection ids that each has heard of. */
function homesOf(instances: Instance[]): Set<string>[] {
  return instances.map(({ links }) => {
    return new Set(links.flatMap((link) => link.of(OPEN).map(({ connectionId }) => connectionId)));
  });
}

describe("of several instances", () => {
  test("each has its share of the connections, and each connection keeps to one", async () => {
    const instances = await startInstances(3);
    const bench = startBench(instances.map(({ url }) => url));
    await until(() => bench.upstream.counts().links === 3);
    const places = Array.from({ length: 300 }, (_, index) => index + 1);
    for (const place of places) bench.open(place);
    for (let round = 1; round <= 3; round += 1) {
      for (const place of places) bench.say(place, `${round}`);
      await until(() => bench.sink.count("acknowledged") === round * places.length);
    }
    const homes = homesOf(instances);
    assert.equal(
      homes.reduce((sum, ids) => sum + ids.size, 0),
      places.length,
    );
    for (const ids of homes) assert.ok(ids.size > 60, `${ids.size} of 300`);
    for (const instance of instances) assert.equal(instance.links.length, 1);
  });

  test("one that dies leaves its connections to others, with what it had not done", async () => {
    const instances = await startInstances(2);
    const [dying, other] = instances as [Instance, Instance];
    const bench = startBench(instances.map(({ url }) => url));
    await until(() => bench.upstream.counts().links === 2);
    const places = Array.from({ length: 40 }, (_, index) => index + 1);
    for (const place of places) bench.open(place);
    dying.respond = hang;
    for (const place of places) bench.say(place, "a", "b");
    const isAllSent = () => dying.texts().length + other.texts().length === 80;
    await until(isAllSent);
    const unanswered = dying.texts().length;
    assert.ok(unanswered > 10);
    await until(() => bench.sink.count("acknowledged") === 80 - unanswered);
    dying.die();
    for (const place of places) bench.say(place, "c");
    await until(() => bench.sink.count("acknowledged") === 120);
    for (const place of places) {
      const texts = other.texts(bench.idOf(place));
      assert.deepEqual(texts, ["a", "b", "c"], `${place}`);
    }
    assert.equal(bench.sink.count("fail"), 0);
  });

  test("one that comes back takes new connections, and others stay where they are", async () => {
    const instances = await startInstances(2);
    const [first, second] = instances as [Instance, Instance];
    const bench = startBench(instances.map(({ url }) => url));
    await until(() => bench.upstream.counts().links === 2);
    first.die();
    await until(() => bench.upstream.counts().links === 1);
    const old = Array.from({ length: 40 }, (_, index) => index + 1);
    for (const place of old) bench.open(place);
    for (const place of old) bench.say(place, "a");
    await until(() => bench.sink.count("acknowledged") === 40);
    await first.listen();
    await until(() => bench.upstream.counts().links === 2);
    const young = old.map((place) => place + 100);
    for (const place of young) bench.open(place);
    for (const place of [...old, ...young]) bench.say(place, "b");
    await until(() => bench.sink.count("acknowledged") === 120);
    for (const place of old) assert.deepEqual(second.texts(bench.idOf(place)), ["a", "b"]);
    const atFirst = young.filter((place) => first.texts(bench.idOf(place)).length === 1);
    assert.ok(atFirst.length > 3, `${atFirst.length} of 40`);
  });

  test("each is sent to at once what comes up while another one is sent to", async () => {
    const instances = await startInstances(2);
    for (const instance of instances) instance.welcome.frameBytesMax = 200;
    const bench = startBench(instances.map(({ url }) => url));
    await until(() => bench.upstream.counts().links === 2);
    const places = Array.from({ length: 40 }, (_, index) => index + 1);
    for (const place of places) bench.open(place);
    for (const place of places) bench.say(place, "a");
    await until(() => bench.upstream.counts().lanes === 0);
    const [first, second] = homesOf(instances) as [Set<string>, Set<string>];
    const pick = (home: Set<string>) => places.filter((place) => home.has(bench.idOf(place)));
    const [[a, b], [c, d]] = [pick(first), pick(second)] as [number[], number[]];
    for (const [failing, other] of [[a, c] as const, [d, b] as const]) {
      bench.sink.failed = () => bench.say(other as number, "now");
      bench.say(failing as number, "x".repeat(300));
      assert.equal(bench.upstream.counts().inflight, 1);
      await until(() => bench.upstream.counts().inflight === 0);
    }
  });

  test("connect goes to the one that gets the connection's events", async () => {
    const instances = await startInstances(2);
    const bench = startBench(instances.map(({ url }) => url));
    const asked: number[] = [];
    instances.forEach((instance, index) => {
      instance.intercept = (link, frame) => {
        if (!("request" in frame) || !("connectionId" in frame)) return false;
        asked.push(index);
        const fields = { contentType: "", connectionState: "", bytes: Buffer.alloc(0) };
        const answer = { request: frame.request, status: 204, ...fields, start: 0, end: 0 };
        link.send({ type: 0x42, ...answer });
        return true;
      };
    });
    await until(() => bench.upstream.counts().links === 2);
    for (let index = 0; index < 24; index += 1) {
      const connectionId = `${bench.idOf(0).split(".")[0]}.${placeText(index + 1)}`;
      const answer = await bench.upstream.connect({ ...connectRequest, connectionId }, 2000);
      assert.equal(answer.accepted, true);
      bench.sink.open(index + 1, { connectionId });
      bench.say(index + 1, "a");
      await until(() => bench.sink.count("acknowledged", index + 1) === 1);
      const taker = instances.findIndex((instance) => instance.texts(connectionId).length === 1);
      assert.equal(asked.at(-1), taker);
    }
    assert.equal(new Set(asked).size, 2, "both were asked");
  });
});

/** The place as it stands in a connection id: generation 0. */
function placeText(slot: number): string {
  return Buffer.from([0, 0, slot, 0, 0, 0, 0]).toString("base64url");
}

describe("a service that says goodbye", () => {
  test("gets no new events, answers what it took, and the others take over in order", async () => {
    const instances = await startInstances(2);
    const [leaving, staying] = instances as [Instance, Instance];
    const bench = startBench(instances.map(({ url }) => url));
    await until(() => bench.upstream.counts().links === 2);
    leaving.respond = hang;
    const places = Array.from({ length: 40 }, (_, index) => index + 1);
    for (const place of places) bench.open(place);
    for (const place of places) bench.say(place, "a");
    await until(() => leaving.texts().length + staying.texts().length === 40);
    const taken = leaving.events.splice(0);
    assert.ok(taken.length > 3);
    const { link } = leaving;
    link.send({ type: SERVICE_GOODBYE });
    await until(() => bench.upstream.counts().links === 1);
    for (const place of places) bench.say(place, "b");
    await until(() => bench.sink.count("acknowledged") === 2 * (40 - taken.length));
    assert.equal(leaving.texts().length, 0, "it got nothing new");
    for (const { channel } of taken) link.send({ type: ACKNOWLEDGE, channel, events: 1 });
    await until(() => bench.sink.count("acknowledged") === 80);
    for (const { connectionId } of taken) assert.deepEqual(staying.texts(connectionId), ["b"]);
    // With nothing under way the gateway closes, and dials again.
    await leaving.until(() => link.isClosed);
    await until(() => bench.upstream.counts().links === 2);
  });

  test("and closes with events unacknowledged has them come to another", async () => {
    const instances = await startInstances(2);
    const [leaving, staying] = instances as [Instance, Instance];
    const bench = startBench(instances.map(({ url }) => url));
    await until(() => bench.upstream.counts().links === 2);
    leaving.respond = hang;
    const places = Array.from({ length: 40 }, (_, index) => index + 1);
    for (const place of places) bench.open(place);
    for (const place of places) bench.say(place, "a");
    await until(() => leaving.texts().length + staying.texts().length === 40);
    leaving.die();
    await until(() => bench.sink.count("acknowledged") === 40);
    assert.equal(staying.texts().length, 40);
  });
});

describe("a service that is not there", () => {
  test("is held for, and gets everything once, in order, when it comes", async () => {
    const instance = await Instance.start();
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.say(1, "a");
    await until(() => bench.sink.count("acknowledged") === 1);
    instance.die();
    await until(() => bench.upstream.counts().links === 0);
    bench.say(1, "b", "c");
    const refused = await bench.upstream.connect(connectRequest, 5000);
    assert.equal(refused.accepted, false);
    assert.ok(bench.log.has("warn", "the service cannot be reached; events are held"));
    await instance.listen();
    await until(() => bench.sink.count("acknowledged") === 3);
    assert.deepEqual(instance.texts(), ["a", "b", "c"]);
    assert.ok(bench.log.has("info", "the service answers again"));
  });

  test("for longer than the hold time costs its clients their connections", async () => {
    const instance = await Instance.start();
    const bench = startBench([instance.url], { limits: { holdTimeoutMs: 400 } });
    await until(() => bench.upstream.counts().links === 1);
    instance.die();
    await until(() => bench.upstream.counts().links === 0);
    bench.open(1);
    bench.say(1, "a", "b");
    await until(() => bench.sink.count("fail", 1) === 1);
    assert.deepEqual(bench.sink.calls, [{ call: "fail", place: 1, reason: "service-unavailable" }]);
    assert.equal(bench.upstream.counts().abandoned["service-unavailable"], 2);
  });

  test("but for its PONGs, and gives no credit, is held for no longer", async () => {
    const instance = await Instance.start();
    instance.welcome.eventsMax = 1;
    instance.respond = hang;
    const bench = startBench([instance.url], { limits: { holdTimeoutMs: 400 } });
    for (const place of [1, 2]) {
      bench.open(place);
      bench.say(place, "a");
    }
    await instance.until(() => instance.events.length === 1);
    const { link } = instance;
    link.send({ type: CREDIT, eventsMax: 0, bytesMax: 0 });
    link.send({ type: ACKNOWLEDGE, channel: 1, events: 1 });
    bench.upstream.disconnected(2, "client-gone", 1006);
    await until(() => bench.upstream.counts().lanes === 0);
    assert.equal(bench.sink.count("acknowledged", 1), 1);
    assert.equal(bench.upstream.counts().abandoned["service-unavailable"], 1);
    link.send({ type: CREDIT, eventsMax: 1, bytesMax: 0 });
    bench.say(1, "b");
    await instance.until(() => instance.texts().length === 2);
    assert.equal(instance.links.length, 1);
  });

  test("yet is waited for by clients who come in, within their time", async () => {
    const instance = await Instance.start();
    let release = hang;
    instance.intercept = (link, frame) => {
      if (frame.type !== 1) return false;
      release = () => link.send({ type: WELCOME, ...instance.welcome });
      return true;
    };
    const bench = startBench([instance.url]);
    await instance.until(() => release !== hang);
    const late = await bench.upstream.connect(connectRequest, 50);
    assert.equal(late.accepted, false);
    const answer = bench.upstream.connect(connectRequest, 5000);
    instance.intercept = (link, frame) => {
      if (!("request" in frame)) return false;
      const fields = { contentType: "", connectionState: "", bytes: Buffer.alloc(0) };
      link.send({ type: 0x42, request: frame.request, status: 200, ...fields, start: 0, end: 0 });
      return true;
    };
    release();
    assert.equal((await answer).accepted, true);
  });
});

test("an instance that no link comes about to is told of once, with the cause", async () => {
  const [there, refusing] = (await startInstances(2)) as [Instance, Instance];
  let hellos = 0;
  refusing.intercept = (link) => {
    hellos += 1;
    link.socket.destroy();
    return true;
  };
  const missing = join(makeTemporaryFolder(), "none.sock");
  const bench = startBench([there.url, refusing.url, `link+unix://${missing}`]);
  await until(() => hellos === 3);
  const told = await bench.log.find(/an instance of the service cannot be linked to/, 2);
  assert.equal(told.length, 2);
  const causes = new Map(told.map(({ fields }) => [fields.instance, fields.cause]));
  assert.equal(causes.get(missing), "ENOENT");
  const cause = String(causes.get(`127.0.0.1:${refusing.port}`));
  assert.match(cause, /^it closed the link before it said WELCOME; its own log says why/);
  refusing.intercept = () => false;
  await until(() => bench.upstream.counts().links === 2);
});

test("a Unix socket is an instance like any other", async () => {
  const instance = await Instance.start(join(makeTemporaryFolder(), "service.sock"));
  const bench = startBench([instance.url]);
  bench.open(1);
  bench.say(1, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  instance.die();
  await until(() => bench.upstream.counts().links === 0);
});

test("a name with several addresses is several instances, and is looked up again", async () => {
  const instances = await startInstances(2);
  const [first] = instances as [Instance];
  let lookups = 0;
  const bench = startBench([`link://service.example:${first.port}`], {
    resolve: async (host) => {
      lookups += 1;
      assert.equal(host, "service.example");
      if (lookups === 1) throw new Error("ENOTFOUND");
      return ["127.0.0.1", "127.0.0.3"];
    },
  });
  await until(() => bench.upstream.counts().links === 1);
  assert.equal(lookups, 2);
  assert.ok(bench.log.has("warn", "the name of a service cannot be looked up"));
});

test("a name that nobody knows keeps no link from the others, nor takes it from them", async () => {
  const instances = await startInstances(2);
  const [first, second] = instances as [Instance, Instance];
  const unknown = new Set(["second.example"]);
  let misses = 0;
  const bench = startBench(
    [`link://first.example:${first.port}`, `link://second.example:${second.port}`],
    {
      resolve: async (host) => {
        if (!unknown.has(host)) return ["127.0.0.1"];
        misses += 1;
        throw new Error("ENOTFOUND");
      },
    },
  );
  await until(() => bench.upstream.counts().links === 1);
  const [told] = await bench.log.find(/cannot be looked up/);
  assert.equal(told?.fields.name, "second.example");
  const before = misses;
  await until(() => misses > before + 1);
  assert.equal(first.links.length, 1);
  unknown.clear();
  await until(() => bench.upstream.counts().links === 2);
  assert.equal(first.links.length, 1);
});

test("closing waits for acknowledgements, says goodbye, and gives the rest up", async () => {
  const instance = await Instance.start();
  instance.respond = hang;
  const bench = startBench([instance.url]);
  bench.open(1);
  bench.open(2);
  bench.say(1, "a");
  bench.say(2, "b");
  await instance.until(() => instance.events.length === 2);
  const { link } = instance;
  const closed = bench.upstream.close(300);
  link.send({ type: ACKNOWLEDGE, channel: 1, events: 1 });
  await closed;
  await instance.until(() => link.isClosed);
  assert.equal(bench.sink.count("acknowledged"), 1);
  assert.equal(bench.upstream.counts().abandoned["gateway-stopping"], 1);
  assert.equal(link.of(GATEWAY_GOODBYE).length, 1);
});
