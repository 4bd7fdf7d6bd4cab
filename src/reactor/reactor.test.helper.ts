/**
 * For the tests of the reactor and the outbox: a reactor on the fake poller, in fake time, that
 * records what it reports and does what a test says when it does.
 */
import { afterEach, beforeEach } from "node:test";
import { FakeBinding, type FakePoller } from "../../test/support/fake-poller.ts";
import type { FakeSocket } from "../../test/support/fake-socket.ts";
import { FakeTime } from "../../test/support/fake-time.ts";
import { Budget } from "../core/budget.ts";
import { Reactor, type SlotEvents } from "./reactor.ts";

const time = new FakeTime();
beforeEach(() => time.install());
afterEach(() => time.restore());

export class ReactorWorld {
  readonly time = time;
  readonly budget = new Budget(1 << 30);
  readonly poller: FakePoller;
  readonly reactor: Reactor;
  /** What was reported, as sentences: "received 0 hello". */
  readonly log: string[] = [];
  /** What a test does when something is reported, besides its being recorded. */
  on: Partial<SlotEvents> = {};

  constructor(slotsMax = 16) {
    const binding = new FakeBinding();
    this.reactor = new Reactor(binding, slotsMax, this.budget, this.#events());
    this.poller = binding.poller;
    this.reactor.adopt(3);
    this.reactor.start();
  }

  /** Everything reported since the last time that this was asked. */
  takeLog(): string[] {
    return this.log.splice(0);
  }

  /** A client that is accepted. */
  open(): { socket: FakeSocket; slot: number } {
    const socket = this.poller.connect();
    this.poller.wake();
    const slot = this.poller.slotOf(socket);
    if (slot === undefined) throw new Error("the client was not accepted");
    this.takeLog();
    return { socket, slot };
  }

  /** Puts bytes into the outbox' part of the arena and sends them. */
  send(slot: number, text: string): void {
    const offset = this.reactor.outbox.reserve(text.length);
    this.reactor.arena.set(Buffer.from(text, "latin1"), offset);
    this.reactor.outbox.send(slot, offset, text.length);
  }

  /** One iteration of the event loop. */
  iterate(): void {
    if (this.poller.isReady) this.poller.wake();
    time.runImmediates();
  }

  advance(ms: number): void {
    const untilMs = time.nowMs + ms;
    while (time.advanceToTimer(untilMs)) this.iterate();
  }

  #events(): SlotEvents {
    const record = <Arguments extends number[]>(
      name: keyof SlotEvents,
      ...values: Arguments
    ): void => {
      this.log.push([name, ...values].join(" "));
      (this.on[name] as ((...values: Arguments) => void) | undefined)?.(...values);
    };
    return {
      accepted: (slot, listener) => record("accepted", slot, listener),
      connected: (slot) => record("connected", slot),
      received: (slot, offset, end) => {
        const text = Buffer.from(this.reactor.arena.subarray(offset, end)).toString("latin1");
        this.log.push(`received ${slot} ${text}`);
        this.on.received?.(slot, offset, end);
      },
      ended: (slot) => record("ended", slot),
      broke: (slot, errno) => record("broke", slot, errno),
      unwritable: (slot, errno) => record("unwritable", slot, errno),
      hungUp: (slot) => record("hungUp", slot),
      queued: (slot) => record("queued", slot),
      drained: (slot) => record("drained", slot),
      expired: (slot) => record("expired", slot),
      tookUp: (slot) => record("tookUp", slot),
      acceptFailed: (errno) => record("acceptFailed", errno),
      swept: () => this.on.swept?.(),
    };
  }
}
