import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BATCH_STRIDE,
  type Binding,
  BYTES,
  loadBinding,
  type PollerOptions,
} from "../../src/reactor/binding.ts";
import { startInProcess } from "../support/in-process-gateway.ts";
import { seededRandom } from "../support/seed.ts";
import { type ConformanceCase, stage } from "./case.ts";
import { ByteCutter, byFrames, join, SINGLE_BYTES, splitAtRandom } from "./delivery.ts";
import { fragments, TEXT } from "./frames.ts";
import { framing } from "./framing.ts";
import { runCase } from "./runner.ts";

/** The addon, and the lengths of all that it read from sockets. */
function countingReads(): { binding: Binding; reads: number[] } {
  const binding = loadBinding();
  const reads: number[] = [];
  const create = (options: PollerOptions) => {
    const poller = binding.create(options);
    const turn = (eventsMax: number) => {
      const count = poller.turn(eventsMax);
      for (let record = 0; record < count; record++) {
        const [, kind, , length] = options.batch.subarray(record * BATCH_STRIDE);
        if (kind === BYTES) reads.push(length as number);
      }
      return count;
    };
    // The verbs of the addon want its own object for `this`.
    return new Proxy(poller, {
      get(target, name) {
        if (name === "turn") return turn;
        const verb = Reflect.get(target, name);
        return typeof verb === "function" ? verb.bind(target) : verb;
      },
    });
  };
  return { binding: { ...binding, create }, reads };
}

test("most single bytes reach the gateway in reads of their own", async () => {
  const { binding, reads } = countingReads();
  const { port, stop } = await startInProcess({ binding });
  const each = framing.groups[0]?.cases[1] as ConformanceCase;
  await runCase(each, SINGLE_BYTES, port, seededRandom());
  await stop();
  const [head, ...others] = reads;
  assert.ok((head as number) > 100, "the request's head is one read");
  const bytes = join([...each.stages()]).length;
  assert.equal(
    others.reduce((sum, length) => sum + length, 0),
    bytes,
  );
  // A machine with much to do may bring two together.
  const single = others.filter((length) => length === 1);
  assert.ok(single.length > bytes / 2, `${single.length} of ${bytes}`);
});

test("however a stage is cut, its bytes are the same", () => {
  const random = seededRandom();
  const payload = Buffer.alloc(50_000, "of no special length, ");
  for (const fragmentBytes of [1, 64, 300, 4096, 50_000]) {
    const sends = fragments(TEXT, payload, fragmentBytes);
    const whole = join([stage(sends)]);
    const cutter = new ByteCutter();
    const ways = [
      byFrames(stage(sends)),
      cutter.cut(stage(sends)),
      cutter.cut(stage(sends)),
      splitAtRandom(whole, random),
    ];
    for (const pieces of ways) assert.ok(Buffer.concat([...pieces]).equals(whole));
  }
});
