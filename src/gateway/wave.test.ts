/** The way round: who gets what, in which order, wherever pushes join and slices end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { emptyAnswer } from "../bus/command.ts";
import { BINARY } from "../core/opcode.ts";
import type { Hub } from "./hub.ts";
import { type Push, Wave } from "./wave.ts";

const hub = {} as Hub;

function push(length = 1): Push {
  const bytes = new Uint8Array(length);
  return { opcode: BINARY, bytes, answer: emptyAnswer(), resolve: () => {}, form: undefined };
}

function waveOf(places: number[], windows: number[] = []): Wave {
  return new Wave(hub, Float64Array.from(places), windows.length > 0, Uint8Array.from(windows));
}

/** What each place was sent, in order, by one stretch of `count`. */
function send(wave: Wave, count: number, received: Map<number, Push[]>): Push[] {
  for (let index = 0; index < count; index += 1) {
    const place = wave.places[wave.next + index] as number;
    const before = received.get(place) ?? [];
    received.set(place, [...before, ...wave.pushes]);
  }
  return wave.advance(count);
}

describe("a wave", () => {
  test("brings each receiver every push once and in order, whenever they join", () => {
    const steps = fc.array(fc.oneof(fc.constant("join"), fc.integer({ min: 1, max: 9 })));
    const windows = fc.array(fc.constantFrom(0, 9, 15), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(windows, steps, fc.boolean(), (windows, steps, isDeflated) => {
        const places = windows.map((_, slot) => slot);
        const wave = waveOf(places, isDeflated ? windows : []);
        const pushes = [push()];
        const over: Push[] = [];
        const received = new Map<number, Push[]>();
        wave.join(pushes[0] as Push);
        for (const step of [...steps, ...Array<number>(100).fill(9)]) {
          if (wave.isOver) break;
          if (step === "join") {
            pushes.push(push());
            wave.join(pushes.at(-1) as Push);
            continue;
          }
          over.push(...send(wave, Math.min(Number(step), wave.stretch()), received));
        }
        assert.ok(wave.isOver);
        assert.deepEqual(over.map(idIn(pushes)), [...pushes.keys()]);
        for (const place of places) {
          assert.deepEqual(received.get(place)?.map(idIn(pushes)), [...pushes.keys()]);
        }
        assert.equal(wave.bytes, 0);
      }),
      { seed: testSeed(), numRuns: propertyRuns(200, 5000) },
    );
  });

  test("begins again at the first receiver for what joined behind it, and ends there", () => {
    const wave = waveOf([10, 11, 12, 13]);
    const [first, second] = [push(), push()];
    const received = new Map<number, Push[]>();
    wave.join(first);
    assert.deepEqual(send(wave, 3, received), []);
    wave.join(second);
    assert.deepEqual(send(wave, wave.stretch(), received), [first]);
    assert.equal(wave.next, 0);
    assert.equal(wave.stretch(), 3);
    assert.deepEqual(send(wave, 3, received), [second]);
    assert.deepEqual([...received.keys()].sort(), [10, 11, 12, 13]);
  });

  test("keeps those with one window together, and forms for them alone", () => {
    const wave = waveOf([0, 1, 2, 3, 4], [15, 0, 15, 9, 0]);
    const message = push();
    wave.join(message);
    const seen: [number, number[]][] = [];
    while (!wave.isOver) {
      const { windowBits } = wave.share();
      assert.equal(message.form, undefined);
      message.form = { opcode: 0, bytes: message.bytes, payloadLength: 1, blockFrame: undefined };
      const count = wave.stretch();
      seen.push([windowBits, [...wave.places.subarray(wave.next, wave.next + count)]]);
      wave.advance(count);
    }
    assert.deepEqual(seen, [
      [0, [1, 4]],
      [9, [3]],
      [15, [0, 2]],
    ]);
  });

  test("takes along what goes to the same receivers alone, up to its bounds", () => {
    const places = Float64Array.of(1, 2, 3);
    const wave = waveOf([...places]);
    wave.join(push(100));
    assert.ok(wave.takes(hub, Float64Array.of(1, 2, 3), false, 1));
    assert.ok(!wave.takes({ ...hub } as Hub, places, false, 1));
    assert.ok(!wave.takes(hub, places, true, 1));
    assert.ok(!wave.takes(hub, places.subarray(1), false, 1));
    assert.ok(!wave.takes(hub, Float64Array.of(1, 2, 4), false, 1));
    assert.ok(wave.takes(hub, places, false, (256 << 10) - 100));
    assert.ok(!wave.takes(hub, places, false, (256 << 10) - 99));
    for (let count = 1; count < 64; count += 1) {
      assert.ok(wave.takes(hub, places, false, 1));
      wave.join(push());
    }
    assert.ok(!wave.takes(hub, places, false, 1));
  });
});

function idIn(pushes: Push[]): (push: Push) => number {
  return (push) => pushes.indexOf(push);
}
