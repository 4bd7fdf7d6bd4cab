/**
 * For tests: one run of a whole gateway on the fake poller beside its model, every step of it
 * from its seed: random clients that send in pieces, read in pieces, pause, close, hang up and
 * break, and a service that answers, pushes, acknowledges late and closes.
 */
import assert from "node:assert/strict";
import { clientFrame, upgradeHead } from "../../test/support/raw-client.ts";
import { seededRandom } from "../../test/support/seed.ts";
import type { Command, Target } from "../bus/command.ts";
import { formatConnectionId } from "../core/connection-id.ts";
import { TEXT } from "../core/opcode.ts";
import { FakeClient, GatewayWorld, time } from "./gateway.test.helper.ts";
import { GatewayModel, type ModelClient } from "./gateway-model.test.helper.ts";

const STEPS = 250;
const CLIENTS_MAX = 12;
const GROUPS = ["red", "green"];
const CLOSE = 8;
const PING = 9;
const ETIMEDOUT = 110;
const ECONNRESET = 104;

const HUBS = `{ main: { paths: [/], service: 'http://service.example/', auth: { connect: false },
  limits: { unacknowledgedMessagesMax: 3, messageBytesMax: 4096 } } }`;
const LIMITS = `{ pingIntervalMs: 0, pongTimeoutMs: 1, idleTimeoutMs: 0, closeTimeoutMs: 3000,
  writeQueueSoftBytes: 300, writeQueueHardBytes: 2000, writeStallTimeoutMs: 20000,
  controlFramesBurst: 100000, bufferBudgetBytes: 100000000 }`;

/** All that such a client had sent whole has been delivered. */
const LEFT_BY_ITSELF = ["client-gone", "client-hung-up", "client-closed"];

interface Actor extends ModelClient {
  client: FakeClient;
  place: number | undefined;
  /** Bytes that it has begun to send; a frame may end in the middle of them. */
  pending: Buffer;
  pendingTexts: string[];
  /** How it left of itself. */
  end: "here" | "closed" | "finished" | "broken";
}

class Run {
  readonly world = new GatewayWorld({ hubs: HUBS, limits: LIMITS });
  readonly model = new GatewayModel(this.world.upstream());
  readonly random: () => number;
  actors: Actor[] = [];
  /** Those that are gone and done with: what they received stays what it was. */
  readonly departed: Actor[] = [];
  /** Places that were told to close, some of which wait for acknowledgements. */
  readonly closing = new Set<number>();
  #names = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.world.poller.order = (slots) => this.#shuffled(slots);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  upTo(max: number): number {
    return Math.floor(this.random() * (max + 1));
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.random() * items.length)];
  }

  async step(): Promise<void> {
    const actor = this.pick(this.actors.filter(({ end }) => end === "here"));
    const dice = this.random();
    if (dice < 0.1 || actor === undefined) this.#connect();
    else if (dice < 0.35) this.#send(actor);
    else if (dice < 0.45) this.#read(actor);
    else if (dice < 0.5) this.#leave(actor);
    else if (dice < 0.65) this.#acknowledge();
    else if (dice < 0.75) this.#reply();
    else if (dice < 0.85) await this.#push();
    else if (dice < 0.9) await this.#regroup();
    else if (dice < 0.92) await this.#close();
    else await this.#pass();
    if (this.chance(0.6)) this.world.iterate();
    for (let turn = 0; turn < 4; turn += 1) await null;
    this.#introduceAll();
    this.check();
  }

  #connect(): void {
    if (this.actors.length >= CLIENTS_MAX) return;
    this.#names += 1;
    const client = new FakeClient(this.world.poller.connect());
    const about = { name: `c${this.#names}`, sent: [], owed: [], groups: new Set<string>() };
    const pending = { pending: Buffer.from(upgradeHead("/")), pendingTexts: [] };
    const actor: Actor = { ...about, ...pending, client, place: undefined, end: "here" };
    this.actors.push(actor);
    this.#feed(actor);
  }

  #send(actor: Actor): void {
    if (actor.pending.length === 0 || this.chance(0.5)) {
      for (let count = 1 + this.upTo(4); count > 0; count -= 1) this.#compose(actor);
    }
    this.#feed(actor);
  }

  /** A message in one frame or in fragments with pings between, behind what it sends already. */
  #compose(actor: Actor): void {
    const number = actor.sent.length + actor.pendingTexts.length + 1;
    const text = `${actor.name} ${number} ${"x".repeat(this.upTo(200))}`;
    const frames: Buffer[] = [];
    const cut = this.chance(0.3) ? this.upTo(text.length) : text.length;
    if (cut < text.length) {
      frames.push(clientFrame(TEXT, text.slice(0, cut), false));
      if (this.chance(0.5)) frames.push(clientFrame(PING, "p"));
      frames.push(clientFrame(0, text.slice(cut)));
    } else frames.push(clientFrame(TEXT, text));
    actor.pending = Buffer.concat([actor.pending, ...frames]);
    actor.pendingTexts.push(text);
  }

  /** Some of what it has begun to send, or all of it. */
  #feed(actor: Actor, all = this.chance(0.6)): void {
    const length = all ? actor.pending.length : this.upTo(actor.pending.length);
    actor.client.socket.send(actor.pending.subarray(0, length));
    actor.pending = actor.pending.subarray(length);
    if (actor.pending.length > 0) return;
    actor.sent.push(...actor.pendingTexts.splice(0));
  }

  #read({ client }: Actor): void {
    const room = this.pick([0, 1, this.upTo(50), this.upTo(600), Number.POSITIVE_INFINITY]);
    client.socket.room = room as number;
  }

  #leave(actor: Actor): void {
    const { socket } = actor.client;
    const how = this.random();
    if (how < 0.4) {
      socket.break(this.chance(0.5) ? ECONNRESET : ETIMEDOUT);
      actor.end = "broken";
    } else if (how < 0.7) {
      socket.finish();
      actor.end = "finished";
    } else if (actor.pending.length === 0) {
      actor.client.send(CLOSE, Buffer.from([3, 232]));
      socket.finish();
      actor.end = "closed";
    }
  }

  #acknowledge(): void {
    const places = [...this.model.connections.keys()].filter(
      (place) => this.model.unacknowledgedOf(place) > 0,
    );
    const place = this.pick(places);
    if (place === undefined) return;
    const message = this.model.takeUnacknowledged(place);
    if (message !== undefined) this.world.upstream().acknowledge(message);
  }

  #reply(): void {
    const place = this.pick([...this.model.connections.keys()]);
    if (place === undefined) return;
    const text = this.#text();
    const owed = this.model.open.find((each) => each.place === place)?.client.owed;
    if (owed === undefined && this.model.isOpen(place)) return;
    owed?.push(text);
    this.world.upstream().sink.reply(place, TEXT, Buffer.from(text), 0, text.length);
  }

  async #push(): Promise<void> {
    this.#introduceAll();
    if (this.model.open.length < this.model.openCount) return;
    const group = this.pick([undefined, ...GROUPS]);
    const target: Target = group === undefined ? { kind: "all" } : { kind: "group", group };
    const matching = this.model.open.filter(
      ({ client }) => group === undefined || client.groups.has(group),
    );
    const text = this.#text();
    for (const { client } of matching) client.owed.push(text);
    const about = { hub: "main", target, excluded: [], opcode: TEXT as 1, pushId: undefined };
    const answer = await this.#execute({ verb: "send", ...about, bytes: Buffer.from(text) });
    assert.equal(answer.matched, matching.length);
  }

  async #regroup(): Promise<void> {
    const it = this.pick(this.model.open);
    const group = this.pick(GROUPS) as string;
    if (it === undefined) return;
    const connectionId = formatConnectionId(this.world.nonce, it.place);
    const verb = this.chance(0.7) ? "join" : "leave";
    if (verb === "join") it.client.groups.add(group);
    else it.client.groups.delete(group);
    const target: Target = { kind: "connection", connectionId };
    assert.equal((await this.#execute({ verb, hub: "main", target, group })).matched, 1);
  }

  async #close(): Promise<void> {
    const place = this.pick([...this.model.connections.keys()]);
    if (place === undefined) return;
    const isOpen = this.model.isOpen(place);
    const connectionId = formatConnectionId(this.world.nonce, place);
    const target: Target = { kind: "connection", connectionId };
    const command: Command = { verb: "close", hub: "main", target, excluded: [], reason: "" };
    assert.equal((await this.#execute(command)).matched, isOpen ? 1 : 0);
    // Its close frame waits for what is not acknowledged.
    assert.equal(this.model.isOpen(place), isOpen && this.model.unacknowledgedOf(place) > 0);
    this.closing.add(place);
  }

  async #pass(): Promise<void> {
    const { time } = this.world;
    const untilMs = time.nowMs + this.upTo(1500);
    while (time.advanceToTimer(untilMs)) this.world.iterate();
  }

  async #execute(command: Command) {
    return this.world.gateway.execute(command);
  }

  #text(): string {
    return `${this.upTo(1e9)} ${"y".repeat(this.upTo(this.chance(0.1) ? 1500 : 150))}`;
  }

  /** Whose connection it is shows the poller alone: the slot holds the client's socket. */
  #introduceAll(): void {
    for (const actor of this.actors) {
      const { poller, parts } = this.world;
      const slot = poller.slotOf(actor.client.socket);
      if (actor.place !== undefined || slot === undefined) continue;
      const place = parts.reactor.placeOf(slot);
      if (!this.model.isOpen(place)) continue;
      actor.place = place;
      this.model.introduce(place, actor);
    }
  }

  check(): void {
    const { budget, connections, reactor } = this.world.parts;
    assert.equal(this.world.gateway.counts().connections, this.model.openCount);
    for (const kind of ["parked", "unfinished", "queued"] as const) {
      assert.ok(budget.held(kind) >= 0, `${kind} is ${budget.held(kind)}`);
    }
    for (const actor of this.actors) {
      const { client, owed, place } = actor;
      // What came is what was sent to this one, in order: some of it, when it left early.
      assert.deepEqual(client.texts, owed.slice(0, client.texts.length), actor.name);
      if (place === undefined || !this.model.isOpen(place)) continue;
      const slot = this.world.poller.slotOf(client.socket) as number;
      const unacknowledged = this.model.unacknowledgedOf(place);
      assert.ok(unacknowledged > 0 || !this.closing.has(place), "it closes when all is settled");
      assert.equal(connections.unacknowledgedMessages[slot], unacknowledged);
      assert.ok(unacknowledged <= 3, "the window is kept");
      assert.equal(reactor.isCurrent(place), true);
    }
    for (const { client, owed } of this.departed) {
      assert.deepEqual(client.texts, owed.slice(0, client.texts.length));
    }
    this.#retire();
  }

  #retire(): void {
    const isDone = ({ client }: Actor) => client.socket.closed !== undefined;
    for (const actor of this.actors.filter(isDone)) {
      const { place = -1, name, sent } = actor;
      if (!LEFT_BY_ITSELF.includes(this.model.reasonOf(place) ?? "")) continue;
      // Who left while we closed it was not read any more.
      if (this.closing.has(place)) continue;
      const delivered = this.model.deliveredOf(place);
      assert.ok(delivered >= sent.length, `${name} has sent ${sent.length}, not ${delivered}`);
    }
    this.departed.push(...this.actors.filter(isDone));
    this.actors = this.actors.filter((actor) => !isDone(actor));
    if (this.departed.length > 20) this.departed.splice(0, this.departed.length - 20);
  }

  /** Everybody reads, everything is acknowledged, and everybody who is left leaves. */
  async end(): Promise<void> {
    const everybody = [...this.actors];
    for (const actor of everybody) {
      actor.client.socket.room = Number.POSITIVE_INFINITY;
      if (actor.end === "here") this.#feed(actor, true);
    }
    await this.#acknowledgeAll();
    this.#introduceAll();
    this.check();
    for (const actor of everybody) {
      if (actor.place === undefined || !this.model.isOpen(actor.place)) continue;
      assert.deepEqual(actor.client.texts, actor.owed, `${actor.name} has all that it is owed`);
      assert.equal(this.model.deliveredOf(actor.place), actor.sent.length);
    }
    for (const { client } of everybody) client.socket.finish();
    await this.#acknowledgeAll();
    await this.world.advance(30_000);
    await this.#acknowledgeAll();
    assert.equal(this.model.openCount, 0);
    const { connectedPlaces, departures } = this.world.upstream();
    assert.equal(departures.length, connectedPlaces.length);
    const ids = departures.map(({ facts }) => facts.connectionId);
    assert.equal(new Set(ids).size, ids.length, "each end is told once");
    this.world.assertEmpty();
    const stopped = this.world.gateway.stop();
    await this.world.advance(1000);
    await stopped;
    for (const group of GROUPS) {
      for (const membership of this.world.parts.memberships) {
        assert.equal(membership.copyGroup(group, new Float64Array(1)), 0);
      }
    }
  }

  async #acknowledgeAll(): Promise<void> {
    let isDone = false;
    while (!isDone) {
      isDone = true;
      await this.world.settle();
      this.#introduceAll();
      for (const place of this.model.connections.keys()) {
        for (;;) {
          const message = this.model.takeUnacknowledged(place);
          if (message === undefined) break;
          this.world.upstream().acknowledge(message);
          isDone = false;
        }
      }
    }
  }

  #shuffled(slots: number[]): number[] {
    const shuffled = [...slots];
    for (let at = shuffled.length - 1; at > 0; at -= 1) {
      const other = this.upTo(at);
      [shuffled[at], shuffled[other]] = [shuffled[other] as number, shuffled[at] as number];
    }
    return shuffled;
  }
}

/** Throws at the first step after which the gateway is not as its model. */
export async function runModel(seed: number): Promise<void> {
  time.nowMs = 0;
  time.install();
  try {
    const run = new Run(seed);
    for (let step = 0; step < STEPS; step += 1) await run.step();
    await run.end();
  } finally {
    time.restore();
  }
}
