/**
 * Clients that come, talk and go while their service stands still, fails and is killed, in random
 * interleavings: each event comes in its order, and each message is acknowledged once.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, seededRandom, testSeed } from "../../../test/support/seed.ts";
import type { Carrier } from "./carrier.test.helper.ts";
import { carriers } from "./carriers.test.helper.ts";
import { Stage } from "./stage.test.helper.ts";

const PLACES = 5;

type Step =
  | { kind: "enter" | "leave"; place: number }
  | { kind: "say"; place: number; count: number; isText: boolean }
  | { kind: "freeze" | "thaw" | "kill" | "revive" | "turn" };

const place = fc.integer({ min: 1, max: PLACES });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("enter" as const), place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), place }) },
  {
    weight: 12,
    arbitrary: fc.record({
      ...{ kind: fc.constant("say" as const), place, isText: fc.boolean() },
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("freeze", "thaw") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("kill", "revive") }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("turn" as const) }) },
);

/** One client's life; a place is never used twice. */
interface Life {
  place: number;
  payloads: string[];
  hasLeft: boolean;
}

class Run {
  readonly #carrier: Carrier;
  readonly #stage: Stage;
  readonly #lives: Life[] = [];
  #service: "up" | "frozen" | "gone" = "up";

  constructor(carrier: Carrier, stage: Stage, seed: number) {
    this.#carrier = carrier;
    this.#stage = stage;
    const random = seededRandom(seed);
    const failures = new Map<string, number>();
    stage.service.answer = ({ id, kind }) => {
      const chance = random();
      if (chance < 0.1) return "held";
      const before = failures.get(id) ?? 0;
      if (kind !== "message" || before === 2 || chance > 0.15) return "taken";
      failures.set(id, before + 1);
      return "failed";
    };
  }

  /** What makes no sense as things are is left out. */
  async take(step: Step): Promise<void> {
    const { service } = this.#stage;
    switch (step.kind) {
      case "enter":
      case "leave":
      case "say":
        this.#act(step);
        return;
      case "freeze":
        if (this.#service !== "up") return;
        await service.freeze();
        this.#service = "frozen";
        return;
      case "thaw":
        this.#thaw();
        return;
      case "kill":
        // What core NATS then loses is no matter of order.
        if (this.#service !== "up" || this.#carrier.lacks.keeps !== undefined) return;
        await service.goAway();
        this.#service = "gone";
        return;
      case "revive":
        await this.#revive();
        return;
      case "turn":
        await new Promise(setImmediate);
    }
  }

  async end(): Promise<void> {
    const { sink, service, upstream } = this.#stage;
    this.#thaw();
    await this.#revive();
    const stayed = this.#lives.filter(({ hasLeft }) => !hasLeft);
    await this.#stage.until(() => stayed.every((life) => sink.of(life.place).held.length === 0));
    for (const life of stayed) {
      const { acknowledged, said } = sink.of(life.place);
      assert.equal(acknowledged, said);
      this.#leave(life);
    }
    const isOver = (life: Life) => this.#stage.seen(life.place).at(-1)?.kind === "disconnected";
    await this.#stage.until(() => this.#lives.every(isOver), "all disconnected have come");
    await this.#stage.until(() => this.#stage.counts.inflight === 0);
    for (const life of this.#lives) this.#assertLife(life);
    assert.equal(upstream.heldBytes, 0);
    assert.deepEqual(this.#stage.counts.dropped, { connected: 0, message: 0, disconnected: 0 });
    assert.deepEqual(sink.faults, []);
    assert.ok(service.events.every(({ connectionId }) => connectionId !== ""));
  }

  #act(step: Exclude<Step, { kind: "freeze" | "thaw" | "kill" | "revive" | "turn" }>): void {
    const life = this.#lives.find(
      (each) => !each.hasLeft && each.place % PLACES === step.place - 1,
    );
    if (step.kind === "enter" && life === undefined) {
      const place = this.#lives.length * PLACES + step.place - 1;
      this.#lives.push({ place, payloads: [], hasLeft: false });
      this.#stage.enter(place);
    } else if (step.kind === "leave" && life !== undefined) {
      this.#leave(life);
    } else if (step.kind === "say" && life !== undefined) {
      for (let index = 0; index < step.count; index += 1) {
        const text = `${life.place}:${life.payloads.length + 1}`;
        life.payloads.push(text);
        this.#stage.say(life.place, step.isText ? text : Buffer.from(text));
      }
    }
  }

  #leave(life: Life): void {
    life.hasLeft = true;
    this.#stage.leave(life.place);
  }

  #thaw(): void {
    if (this.#service !== "frozen") return;
    this.#stage.service.thaw();
    this.#service = "up";
  }

  async #revive(): Promise<void> {
    if (this.#service !== "gone") return;
    await this.#stage.service.comeBack();
    this.#service = "up";
  }

  #assertLife({ payloads, place }: Life): void {
    const seen = this.#stage.seen(place);
    assert.deepEqual(this.#stage.texts(place), payloads, "each came, in order");
    // Their places: connected, the messages, disconnected.
    const last = payloads.length + 1;
    const ids = new Map<number, string>();
    let furthest = -1;
    for (const { id, kind, number } of seen) {
      const at = kind === "connected" ? 0 : kind === "disconnected" ? last : number;
      assert.ok(at <= furthest + 1, `${kind} ${number} of ${place} has overtaken another`);
      furthest = Math.max(furthest, at);
      assert.equal(ids.get(at) ?? id, id, `${kind} ${number} of ${place} has two ids`);
      ids.set(at, id);
    }
    assert.equal(new Set(ids.values()).size, last + 1);
  }
}

for (const carrier of carriers) {
  describe(`random interleavings over ${carrier.name}`, { skip: carrier.missing }, () => {
    test("turn no order round, and acknowledge each message once", async () => {
      const steps = fc.array(step, { minLength: 10, maxLength: 60 });
      const property = fc.asyncProperty(steps, fc.nat(), async (taken, seed) => {
        const stage = await Stage.set(carrier);
        try {
          const run = new Run(carrier, stage, seed);
          for (const each of taken) await run.take(each);
          await run.end();
        } finally {
          await stage.stop();
        }
      });
      await fc.assert(property, {
        ...{ seed: testSeed(), numRuns: propertyRuns(20, 2000) },
        // Each attempt to shrink waits for what does not come.
        endOnFailure: true,
      });
    });
  });
}
