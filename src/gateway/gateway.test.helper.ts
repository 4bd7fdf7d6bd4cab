/**
 * For the tests of the gateway: a whole one on the fake poller, in fake time, whose services are
 * the test, and clients that see every frame. Nothing happens between two steps of a test.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { FakeBinding, type FakePoller } from "../../test/support/fake-poller.ts";
import type { FakeSocket } from "../../test/support/fake-socket.ts";
import { FakeTime } from "../../test/support/fake-time.ts";
import { HeldUpstream } from "../../test/support/held-upstream.ts";
import {
  clientFrame,
  decodeServerFrames,
  type ServerFrame,
  upgradeHead,
} from "../../test/support/raw-client.ts";
import type { Answer, Command } from "../bus/command.ts";
import { parseConfiguration } from "../config/load.ts";
import { Budget } from "../core/budget.ts";
import { formatConnectionId } from "../core/connection-id.ts";
import { silentLog } from "../core/log.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { Reactor } from "../reactor/reactor.ts";
import { ConnectionTable } from "./connection-table.ts";
import { Gateway } from "./gateway.ts";
import { Membership } from "./membership.ts";

const CLOSE = 8;
/** More iterations than any test needs: the loop spins. */
const ITERATIONS_MAX = 20_000;

export const time = new FakeTime();
beforeEach(() => time.install());
afterEach(() => time.restore());

/** The parts of the gateway that was made last, which it keeps to itself. */
interface Parts {
  budget: Budget;
  connections: ConnectionTable;
  reactor: Reactor;
  memberships: Set<Membership>;
}
const captured: Partial<Parts> = {};

capture(Budget.prototype, "charge", (budget) => {
  captured.budget = budget;
});
capture(ConnectionTable.prototype, "begin", (connections) => {
  captured.connections = connections;
});
capture(Reactor.prototype, "start", (reactor) => {
  captured.reactor = reactor;
  captured.memberships = new Set();
});
capture(Membership.prototype, "enter", (membership) => {
  captured.memberships?.add(membership);
});

function capture<Instance extends object>(
  prototype: Instance,
  method: keyof Instance,
  see: (instance: Instance) => void,
): void {
  const original = prototype[method] as (...values: unknown[]) => unknown;
  const value = function (this: Instance, ...values: unknown[]) {
    see(this);
    return original.apply(this, values);
  };
  Object.defineProperty(prototype, method, { value, configurable: true });
}

export interface WorldOptions {
  /** YAML of `hubs`, flow style; default: one hub "main" at / that asks nobody. */
  hubs?: string;
  /** YAML flow mapping of the gateway's limits. */
  limits?: string;
}

const MAIN =
  "{ main: { paths: [/], service: 'http://service.example/', auth: { connect: false } } }";

export class GatewayWorld {
  readonly time = time;
  readonly binding = new FakeBinding();
  readonly poller: FakePoller;
  readonly gateway: Gateway;
  readonly nonce = "AAAAAAAAAAA";
  readonly upstreams = new Map<string, HeldUpstream>();
  /** What `reportFull` was called with. */
  readonly fulls: boolean[] = [];

  constructor(options: WorldOptions = {}) {
    const text = [
      "listen: [{ address: '127.0.0.1:8000' }]",
      `limits: ${options.limits ?? "{}"}`,
      `hubs: ${options.hubs ?? MAIN}`,
    ].join("\n");
    this.gateway = new Gateway({
      configuration: parseConfiguration(text, "test.yaml", {}),
      nonce: this.nonce,
      log: silentLog,
      binding: this.binding,
      openUpstream: (name, _hub, sink) => {
        const upstream = new HeldUpstream(sink);
        this.upstreams.set(name, upstream);
        return upstream;
      },
      reportFull: (full) => this.fulls.push(full),
      reportCounts: () => {},
    });
    this.poller = this.binding.poller;
    captured.budget = new Budget(1);
    this.gateway.adopt(3);
    this.gateway.start();
  }

  get parts(): Parts {
    return captured as Parts;
  }

  /** The only hub's service, or one of several. */
  upstream(name = "main"): HeldUpstream {
    const upstream = this.upstreams.get(name);
    assert(upstream !== undefined, `no hub is called ${name}`);
    return upstream;
  }

  /** A client that has connected and said nothing. */
  async connect(): Promise<FakeClient> {
    const client = new FakeClient(this.poller.connect());
    await this.settle();
    return client;
  }

  /** A client that has shaken hands. */
  async open(path = "/", headers: Record<string, string> = {}): Promise<FakeClient> {
    const client = await this.connect();
    client.socket.send(upgradeHead(path, headers));
    await this.settle();
    assert.equal(client.status, 101, client.head);
    client.place = this.placeOf(client);
    return client;
  }

  async openMany(count: number): Promise<FakeClient[]> {
    const clients = Array.from({ length: count }, () => new FakeClient(this.poller.connect()));
    for (const { socket } of clients) socket.send(upgradeHead("/"));
    await this.settle();
    for (const client of clients) client.place = this.placeOf(client);
    return clients;
  }

  slotOf(client: FakeClient): number {
    const slot = this.poller.slotOf(client.socket);
    assert(slot !== undefined, "the client's socket is open");
    return slot;
  }

  placeOf(client: FakeClient): number {
    return this.parts.reactor.placeOf(this.slotOf(client));
  }

  idOf(client: FakeClient): string {
    return formatConnectionId(this.nonce, client.place);
  }

  /** One iteration of the event loop. */
  iterate(): void {
    if (this.poller.isReady) this.poller.wake();
    time.runImmediates();
  }

  /** Until nothing is left to do but to wait. */
  async settle(): Promise<void> {
    for (let iteration = 0; iteration < ITERATIONS_MAX; iteration += 1) {
      for (let turn = 0; turn < 8; turn += 1) await null;
      if (!this.poller.isReady && !time.hasImmediates) return;
      this.iterate();
    }
    assert.fail("the event loop spins");
  }

  async advance(ms: number): Promise<void> {
    const untilMs = time.nowMs + ms;
    while (time.advanceToTimer(untilMs)) await this.settle();
  }

  async execute(command: Command): Promise<Answer> {
    let answer: Answer | undefined;
    void this.gateway.execute(command).then((given) => {
      answer = given;
    });
    await this.settle();
    assert(answer !== undefined, "the command was never answered");
    return answer;
  }

  /** Nobody is connected: then nothing at all may be left. */
  assertEmpty(): void {
    const { budget, connections, reactor, memberships } = this.parts;
    const { connections: open, handshakesPending } = this.gateway.counts();
    assert.deepEqual([open, handshakesPending, connections?.socketCount ?? 0], [0, 0, 0]);
    assert.equal(this.poller.openSlots, 0, "open sockets");
    for (const kind of ["parked", "unfinished", "queued"] as const) {
      assert.equal(budget.held(kind), 0, `bytes ${kind}`);
    }
    const { slots, parked, outbox } = reactor;
    for (let slot = 1; slot < slots.used; slot += 1) {
      assert.equal(connections.phases[slot], 0, `phase of slot ${slot}`);
      assert.equal(connections.unfinished(slot), undefined);
      assert.equal(connections.subprotocol(slot), undefined);
      assert.equal(connections.connectionState(slot), undefined);
      assert.equal(parked.has(slot), false);
      assert.equal(outbox.owes(slot), false, `owed to slot ${slot}`);
      assert.equal(slots.deadlines[slot], 0, `deadline of slot ${slot}`);
      for (const membership of memberships) assert.equal(membership.userOf(slot), undefined);
    }
  }
}

export class FakeClient {
  readonly socket: FakeSocket;
  /** The gateway's name for its connection, from when it was opened. */
  place = -1;
  #parsed = { length: -1, head: undefined as string | undefined, frames: [] as ServerFrame[] };

  constructor(socket: FakeSocket) {
    this.socket = socket;
  }

  get head(): string | undefined {
    return this.#parse().head;
  }

  get status(): number {
    return Number(this.head?.split(" ")[1]);
  }

  get frames(): ServerFrame[] {
    return this.#parse().frames;
  }

  /** The payloads of the messages, control frames left out. */
  get texts(): string[] {
    const messages = this.frames.filter(({ opcode }) => opcode === TEXT || opcode === BINARY);
    return messages.map(({ payload }) => payload.toString());
  }

  countOf(opcode: number): number {
    return this.frames.filter((frame) => frame.opcode === opcode).length;
  }

  /** What it was told in a close frame: "1013 reading too slowly accepted=0". */
  get closeFrame(): string | undefined {
    const frame = this.frames.find(({ opcode }) => opcode === CLOSE);
    if (frame === undefined) return undefined;
    return `${frame.payload.readUInt16BE(0)} ${frame.payload.subarray(2)}`;
  }

  send(opcode: number, payload: string | Uint8Array = "", fin = true): void {
    this.socket.send(clientFrame(opcode, payload, fin));
  }

  text(...texts: string[]): void {
    for (const text of texts) this.send(TEXT, text);
  }

  #parse() {
    const bytes = this.socket.received;
    if (bytes.length === this.#parsed.length) return this.#parsed;
    const end = bytes.indexOf("\r\n\r\n");
    const head = end < 0 ? undefined : bytes.subarray(0, end + 2).toString("latin1");
    const isOpen = head?.startsWith("HTTP/1.1 101 ") ?? false;
    const { frames } = decodeServerFrames(isOpen ? bytes.subarray(end + 4) : Buffer.alloc(0));
    this.#parsed = { length: bytes.length, head, frames };
    return this.#parsed;
  }
}
