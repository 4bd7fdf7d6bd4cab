import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { upgradeHead } from "../../test/support/raw-client.ts";
import { type Command, emptyAnswer, type Target } from "../bus/command.ts";
import { formatConnectionId, makeNonce, placeOf, slotOf } from "../core/connection-id.ts";
import { TEXT } from "../core/opcode.ts";
import { FakeClient, GatewayWorld } from "./gateway.test.helper.ts";

const service = "service: 'http://service.example/', auth: { connect: true }";
const HUBS = `{ chat: { paths: [/chat], ${service} }, news: { paths: [/news], ${service} } }`;
const ALL: Target = { kind: "all" };

function user(name: string): Target {
  return { kind: "user", user: name };
}

function group(name: string): Target {
  return { kind: "group", group: name };
}

interface Cast {
  world: GatewayWorld;
  ann: FakeClient;
  ann2: FakeClient;
  bob: FakeClient;
  /** Of the other hub, with names that are in use in the first as well. */
  reader: FakeClient;
}

async function enter(
  world: GatewayWorld,
  hub: string,
  userId: string | undefined,
  groups: string[],
): Promise<FakeClient> {
  const subprotocol = undefined;
  const connectionState = undefined;
  const answer = { accepted: true as const, userId, groups, subprotocol, connectionState };
  world.upstream(hub).answer = Promise.resolve(answer);
  return world.open(`/${hub}`);
}

async function cast(limits = "{}"): Promise<Cast> {
  const world = new GatewayWorld({ hubs: HUBS, limits });
  const ann = await enter(world, "chat", "ann", ["red", "green"]);
  const ann2 = await enter(world, "chat", "ann", ["red"]);
  const bob = await enter(world, "chat", "bob", []);
  const reader = await enter(world, "news", "ann", ["red"]);
  return { world, ann, ann2, bob, reader };
}

function idTarget(world: GatewayWorld, client: FakeClient): Target {
  return { kind: "connection", connectionId: world.idOf(client) };
}

let counter = 0;

/** Sends something new; who got it. */
async function whoGets(
  { world, ann, ann2, bob, reader }: Cast,
  hub: string | undefined,
  target: Target,
  excluded: string[] = [],
): Promise<{ names: string; matched: number }> {
  counter += 1;
  const text = `push ${counter}`;
  const bytes = Buffer.from(text);
  const about = { hub, target, excluded, opcode: TEXT as 1, pushId: undefined };
  const { matched } = await world.execute({ verb: "send", ...about, bytes });
  const clients = Object.entries({ ann, ann2, bob, reader });
  const names = clients.filter(([, { texts }]) => texts.includes(text)).map(([name]) => name);
  return { names: names.join(" "), matched };
}

describe("send", () => {
  test("reaches the connections of its target in its hub, and those alone", async () => {
    const all = await cast();
    const cases = [
      [ALL, "ann ann2 bob"],
      [user("ann"), "ann ann2"],
      [user("bob"), "bob"],
      [user("nobody"), ""],
      [group("red"), "ann ann2"],
      [group("green"), "ann"],
      [group("blue"), ""],
      [idTarget(all.world, all.bob), "bob"],
    ] as const;
    for (const [target, names] of cases) {
      const matched = names === "" ? 0 : names.split(" ").length;
      assert.deepEqual(await whoGets(all, "chat", target), { names, matched });
    }
    assert.deepEqual(await whoGets(all, "news", ALL), { names: "reader", matched: 1 });
    assert.deepEqual(await whoGets(all, "news", user("ann")), { names: "reader", matched: 1 });
  });

  test("leaves out the excluded, of whom it need not know all", async () => {
    const all = await cast();
    const { world, ann, bob } = all;
    const excluded = [world.idOf(ann), "nonsense", formatConnectionId(makeNonce(), bob.place)];
    assert.deepEqual(await whoGets(all, "chat", ALL, excluded), { names: "ann2 bob", matched: 2 });
    assert.deepEqual(await whoGets(all, "chat", group("green"), excluded), {
      names: "",
      matched: 0,
    });
  });

  test("finds nobody in a hub that does not exist, and nobody of another hub", async () => {
    const all = await cast();
    const nobody = { names: "", matched: 0 };
    assert.deepEqual(await whoGets(all, "nothing", ALL), nobody);
    assert.deepEqual(await whoGets(all, "constructor", ALL), nobody);
    assert.deepEqual(await whoGets(all, "news", idTarget(all.world, all.ann)), nobody);
    assert.deepEqual(await whoGets(all, undefined, ALL), nobody);
  });

  test("to an id alone needs no hub", async () => {
    const all = await cast();
    const target = idTarget(all.world, all.reader);
    assert.deepEqual(await whoGets(all, undefined, target), { names: "reader", matched: 1 });
  });

  test("with an id reaches each connection once, and those who come later once too", async () => {
    const { world, ann, bob } = await cast(
      "{ pingIntervalMs: 0, pongTimeoutMs: 1, idleTimeoutMs: 0 }",
    );
    const about = { hub: "chat", target: ALL, excluded: [], opcode: TEXT as 1 };
    const command: Command = { verb: "send", ...about, pushId: "p1", bytes: Buffer.from("once") };
    assert.equal((await world.execute(command)).matched, 3);
    const carol = await enter(world, "chat", "carol", []);
    assert.equal((await world.execute(command)).matched, 4);
    assert.equal((await world.execute(command)).matched, 4);
    for (const client of [ann, bob, carol]) assert.deepEqual(client.texts, ["once"]);
    await world.advance(121_000);
    assert.equal((await world.execute(command)).matched, 4);
    assert.deepEqual(carol.texts, ["once", "once"]);
  });
});

describe("an id", () => {
  test("of a connection that has left finds nobody, also when its slot is in use", async () => {
    const all = await cast();
    const { world, bob } = all;
    const target = idTarget(world, bob);
    const slot = world.slotOf(bob);
    bob.socket.break();
    await world.settle();
    const next = await enter(world, "chat", "bob", []);
    assert.equal(world.slotOf(next), slot);
    for (const verb of ["close", "exists"] as const) {
      const more = { excluded: [], reason: "" };
      const command = { verb, hub: "chat", target, ...more } as Command;
      assert.equal((await world.execute(command)).matched, 0, verb);
    }
    assert.equal((await whoGets(all, "chat", target)).matched, 0);
    await world.execute({ verb: "join", hub: "chat", target, group: "red" });
    const about = { hub: "chat", after: undefined, limit: 10 };
    assert.equal((await world.execute({ verb: "list", ...about, group: "red" })).matched, 2);
    assert.deepEqual(next.frames, []);
  });

  test("that this worker did not give out finds nobody", async () => {
    const all = await cast();
    const { nonce } = all.world;
    const ids = [
      "",
      "nonsense",
      formatConnectionId(makeNonce(), all.ann.place),
      formatConnectionId(nonce, placeOf(2 ** 20 - 1, 0)),
      formatConnectionId(nonce, placeOf(0, 0)),
      formatConnectionId(nonce, all.ann.place + 2 ** 20),
    ];
    for (const connectionId of ids) {
      const target: Target = { kind: "connection", connectionId };
      assert.equal((await whoGets(all, "chat", target)).matched, 0, connectionId);
      const described = await all.world.execute({ verb: "describe", connectionId });
      assert.deepEqual(described, emptyAnswer());
    }
  });

  test("of a connection that is being closed finds nobody", async () => {
    const all = await cast();
    const target = idTarget(all.world, all.ann);
    await all.world.execute({ verb: "close", hub: "chat", target, excluded: [], reason: "" });
    assert.equal(all.ann.socket.closed, undefined);
    assert.equal((await whoGets(all, "chat", target)).matched, 0);
    assert.equal((await whoGets(all, "chat", user("ann"))).names, "ann2");
  });
});

describe("close", () => {
  test("tells the client the reason, and how much of its messages was accepted", async () => {
    const { world, ann, ann2, bob, reader } = await cast();
    const excluded = [world.idOf(ann2)];
    const command = { verb: "close", hub: "chat", target: ALL, excluded, reason: "spam" } as const;
    assert.deepEqual(await world.execute(command), { ...emptyAnswer(), matched: 2 });
    assert.equal(ann.closeFrame, "1000 spam accepted=0");
    assert.equal(bob.closeFrame, "1000 spam accepted=0");
    assert.equal(ann2.closeFrame, undefined);
    assert.equal(reader.closeFrame, undefined);
    const departures = world.upstream("chat").departures;
    assert.deepEqual(
      departures.map(({ facts, reason, code }) => [facts.userId, reason, code]),
      [
        ["ann", "closed-by-service", 1000],
        ["bob", "closed-by-service", 1000],
      ],
    );
  });

  test("without a reason says that it is closed; a long one is cut at a character", async () => {
    const { world, ann, bob } = await cast();
    const about = { verb: "close" as const, hub: "chat", excluded: [] };
    await world.execute({ ...about, target: idTarget(world, ann), reason: "" });
    assert.equal(ann.closeFrame, "1000 closed accepted=0");
    const reason = `x${"é".repeat(100)}`;
    await world.execute({ ...about, target: idTarget(world, bob), reason });
    assert.match(bob.closeFrame as string, /^1000 xé{50,60} accepted=0$/);
  });

  test("of many goes on in the next iteration, and closes nobody who came meanwhile", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(100);
    const late = clients.at(-1) as FakeClient;
    const about = { hub: "main", target: ALL, excluded: [], reason: "" };
    const closed = () => clients.filter(({ closeFrame }) => closeFrame !== undefined).length;
    world.time.stepMs = 0.5;
    const answer = world.gateway.execute({ verb: "close", ...about });
    world.time.stepMs = 0;
    const { connections: open } = world.gateway.counts();
    assert.ok(open > 1 && open < 100, `${open} are open`);
    late.socket.break();
    world.poller.wake();
    const newcomer = new FakeClient(world.poller.connect());
    newcomer.socket.send(upgradeHead("/"));
    while (world.poller.isReady) world.poller.wake();
    await world.settle();
    assert.equal(closed(), 99);
    assert.equal((await answer).matched, 100);
    assert.equal(world.slotOf(newcomer), slotOf(late.place));
    assert.equal(newcomer.closeFrame, undefined);
  });

  test("of many is over before a close that comes behind it looks for its own", async () => {
    const world = new GatewayWorld();
    await world.openMany(100);
    const about = { hub: "main", target: ALL, excluded: [], reason: "" };
    const command: Command = { verb: "close", ...about };
    world.time.stepMs = 0.5;
    const answers = [command, command].map((each) => world.gateway.execute(each));
    world.time.stepMs = 0;
    await world.settle();
    assert.deepEqual(
      (await Promise.all(answers)).map(({ matched }) => matched),
      [100, 0],
    );
  });
});

describe("join and leave", () => {
  async function members({ world }: Cast, name: string): Promise<number> {
    const about = { hub: "chat", after: undefined, limit: 10 };
    return (await world.execute({ verb: "list", ...about, group: name })).matched;
  }

  test("take connections and users into groups and out of them again", async () => {
    const all = await cast();
    const { world, bob } = all;
    const target = idTarget(world, bob);
    const joined = await world.execute({ verb: "join", hub: "chat", target, group: "blue" });
    assert.deepEqual(joined, { ...emptyAnswer(), matched: 1 });
    const ann = { hub: "chat", target: user("ann"), group: "blue" };
    assert.equal((await world.execute({ verb: "join", ...ann })).matched, 2);
    assert.equal(await members(all, "blue"), 3);
    assert.equal((await world.execute({ verb: "leave", ...ann })).matched, 2);
    assert.equal((await whoGets(all, "chat", group("blue"))).names, "bob");
    await world.execute({ verb: "leave-all", hub: "chat", target: user("ann") });
    assert.deepEqual([await members(all, "red"), await members(all, "green")], [0, 0]);
    assert.equal((await whoGets(all, "chat", user("ann"))).names, "ann ann2");
    assert.equal((await whoGets(all, "news", group("red"))).names, "reader");
  });

  test("say how many connections have too many groups", async () => {
    const all = await cast("{ groupsPerConnectionMax: 2 }");
    const { world } = all;
    const joined = await world.execute({
      ...{ verb: "join", hub: "chat", target: user("ann"), group: "blue" },
    });
    const refused = { code: "GroupsPerConnectionMax", count: 1 };
    assert.deepEqual(joined, { ...emptyAnswer(), matched: 2, refused });
    assert.equal((await whoGets(all, "chat", group("blue"))).names, "ann2");
  });

  test("do nothing to a connection of another hub", async () => {
    const all = await cast();
    const target = idTarget(all.world, all.reader);
    const command = { hub: "chat", target, group: "red" };
    assert.equal((await all.world.execute({ verb: "join", ...command })).matched, 0);
    assert.equal((await all.world.execute({ verb: "leave", ...command })).matched, 0);
    assert.equal((await whoGets(all, "news", group("red"))).names, "reader");
  });
});

describe("exists", () => {
  test("counts one at the most", async () => {
    const { world, bob } = await cast();
    const cases = [
      [ALL, 1],
      [user("ann"), 1],
      [user("zoe"), 0],
      [group("red"), 1],
      [group("blue"), 0],
      [idTarget(world, bob), 1],
    ] as const;
    for (const [target, matched] of cases) {
      const answer = await world.execute({ verb: "exists", hub: "chat", target });
      assert.deepEqual(answer, { ...emptyAnswer(), matched });
    }
  });
});

describe("list", () => {
  test("gives the members of a group page by page, in the order of their ids", async () => {
    const { world, ann, ann2, bob } = await cast();
    const target = idTarget(world, bob);
    await world.execute({ verb: "join", hub: "chat", target, group: "red" });
    const expected = [ann, ann2, bob]
      .map((client) => ({
        connectionId: world.idOf(client),
        userId: client === bob ? "bob" : "ann",
      }))
      .sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1));
    const about = { verb: "list", hub: "chat", group: "red" } as const;
    const first = await world.execute({ ...about, after: undefined, limit: 2 });
    assert.deepEqual(first, { ...emptyAnswer(), matched: 3, connections: expected.slice(0, 2) });
    const after = expected[1]?.connectionId as string;
    const second = await world.execute({ ...about, after, limit: 2 });
    assert.deepEqual(second, { ...emptyAnswer(), matched: 1, connections: expected.slice(2) });
  });
});

describe("describe", () => {
  test("says since when a connection is there, from where, and when last heard of", async () => {
    const { world, ann } = await cast();
    await world.advance(10_000);
    ann.text("here");
    await world.settle();
    await world.advance(5000);
    const connectionId = world.idOf(ann);
    const { matched, description } = await world.execute({ verb: "describe", connectionId });
    assert.equal(matched, 1);
    assert.equal(description?.userId, "ann");
    assert.equal(description?.address, "192.0.2.1");
    const { connectedAtMs = 0, lastActiveAtMs = 0 } = description ?? {};
    assert.equal(lastActiveAtMs - connectedAtMs, 10_000);
    await world.advance(777);
    const later = await world.execute({ verb: "describe", connectionId });
    assert.deepEqual(later.description, description, "the moments do not move");
  });
});

test("every connection has a place of its own", async () => {
  const { ann, ann2, bob, reader } = await cast();
  const slots = [ann, ann2, bob, reader].map(({ place }) => slotOf(place));
  assert.equal(new Set(slots).size, 4);
});
