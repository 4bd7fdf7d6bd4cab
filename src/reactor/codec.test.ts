/**
 * The codec through its seam, over the zlib that is inside Node; native/test has more of it over
 * the system's zlib, among that payloads that are made to harm.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { runNode } from "../../test/support/run-node.ts";
import { propertyRuns, seededRandom } from "../../test/support/seed.ts";
import { type Codec, INFLATE_FULL, INFLATE_INVALID, INFLATED, loadBinding } from "./binding.ts";

const binding = loadBinding();
const TAIL = Buffer.from("0000ffff", "hex");

class Subject {
  readonly progress = new Int32Array(2);
  readonly codec: Codec = binding.createCodec(this.progress);

  deflate(message: Uint8Array, windowBits = 15): Buffer {
    const output = Buffer.alloc(message.length + 1000);
    const length = this.codec.deflate(message, 0, message.length, windowBits, output);
    assert.ok(length > 0);
    return output.subarray(0, length);
  }

  /** The message, or undefined for one that is invalid, through outputs of `room` bytes. */
  inflate(payload: Uint8Array, room: number): Buffer | undefined {
    const pieces: Buffer[] = [];
    let consumed = 0;
    for (let isFirst = true; ; isFirst = false) {
      const output = Buffer.alloc(room);
      const rest = payload.length - consumed;
      const outcome = this.codec.inflate(payload, consumed, rest, output, isFirst, true);
      const [taken = 0, produced = 0] = this.progress;
      consumed += taken;
      pieces.push(output.subarray(0, produced));
      if (outcome === INFLATE_INVALID) return undefined;
      if (outcome === INFLATED) {
        assert.equal(consumed, payload.length);
        return Buffer.concat(pieces);
      }
      assert.equal(outcome, INFLATE_FULL);
      assert.equal(produced, room);
    }
  }
}

/** Words, repetitions, zeros and noise, in pieces of chance. */
function randomMessage(random: () => number, length: number): Buffer {
  const message = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const kind = Math.floor(random() * 4);
    const distance = 1 + Math.floor(random() * at);
    const end = Math.min(length, at + 1 + Math.floor(random() * 2000));
    for (; at < end; at++) {
      if (kind === 0) message[at] = random() * 256;
      if (kind === 1) message[at] = "etaoin shrdlu".charCodeAt(random() * 13);
      if (kind === 2 && distance <= at) message[at] = message[at - distance] as number;
    }
  }
  return message;
}

test("the examples of RFC 7692 inflate, with outputs of every small size", () => {
  const subject = new Subject();
  for (const [payload, message] of [
    ["f248cdc9c90700", "Hello"],
    ["000500faff48656c6c6f00", "Hello"],
    ["f348cdc9c9070000", "Hello"],
    ["f24805000000ffffcac9c90700", "Hello"],
    ["00", ""],
    ["", ""],
    ["f348cdc9c90700", "Hello"],
    ["03000300", ""],
  ] as const) {
    for (let room = 1; room < 12; room++) {
      assert.equal(subject.inflate(Buffer.from(payload, "hex"), room)?.toString(), message);
    }
  }
});

test("a payload that is cut short, or broken, or has its tail, is invalid", () => {
  const subject = new Subject();
  const message = randomMessage(seededRandom(), 300);
  // Noise alone would be a block whose first byte is by itself what an empty message is.
  message.write("not only noise".repeat(8));
  const payload = subject.deflate(message);
  for (let length = 1; length < payload.length; length++) {
    for (const room of [1, 2, 7, 1000]) {
      assert.equal(subject.inflate(payload.subarray(0, length), room), undefined);
    }
  }
  for (const broken of ["06", "0001020304", "000800f7ff61626364", "f248cdc9c907000000ffff"]) {
    for (let room = 1; room < 12; room++) {
      assert.equal(subject.inflate(Buffer.from(broken, "hex"), room), undefined);
    }
  }
});

test("a message that leans on the one before is invalid, and shows nothing of it", () => {
  const subject = new Subject();
  const secret = Buffer.alloc(40_000, "secret");
  // A sender that keeps its context: it deflates the second message to hardly more than a match.
  const whole = deflateRawSync(Buffer.concat([secret, secret]), {
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  const leaning = deflateRawSync(secret.subarray(0, 100), {
    finishFlush: constants.Z_SYNC_FLUSH,
    dictionary: secret.subarray(0, 32_000),
  }).subarray(0, -4);
  for (let room = 1; room < 80; room++) {
    assert.equal(subject.inflate(whole.subarray(0, -4), 65_536)?.length, 80_000);
    const output = Buffer.alloc(room);
    subject.codec.inflate(leaning, 0, leaning.length, output, true, true);
    assert.equal(output.includes("s"), false);
    assert.equal(subject.inflate(leaning, room), undefined);
    assert.equal(subject.inflate(Buffer.from("f200110000", "hex"), room), undefined);
  }
});

test("what is deflated with any window comes back, and Node's own inflater reads it", () => {
  const subject = new Subject();
  const random = seededRandom();
  for (let run = propertyRuns(150, 5000); run > 0; run--) {
    const message = randomMessage(random, Math.floor(random() * (run % 5 === 0 ? 70_000 : 900)));
    const windowBits = 9 + Math.floor(random() * 7);
    const payload = subject.deflate(message, windowBits);
    const room = 1 + Math.floor(random() * (run % 2 === 0 ? 300 : 70_000));
    assert.deepEqual(subject.inflate(payload, room), message);
    const options = { windowBits, finishFlush: constants.Z_SYNC_FLUSH };
    assert.deepEqual(inflateRawSync(Buffer.concat([payload, TAIL]), options), message);
  }
});

test("what was deflated before has no part in whether a message's end is a repetition", () => {
  const used = new Subject();
  for (let windowBits = 9; windowBits <= 15; windowBits++) {
    for (const length of [
      24,
      1000,
      (2 << windowBits) - 2,
      (2 << windowBits) - 1,
      2 << windowBits,
    ]) {
      const message = Buffer.alloc(length, "-");
      message.write("=abcX=", length - 15);
      message.write("abc", length - 3);
      const alone = new Subject().deflate(message, windowBits);
      for (const behind of ["X", "Y", "XXXXXXXX"]) {
        used.deflate(Buffer.concat([message, Buffer.from(behind)]), windowBits);
        assert.deepEqual(used.deflate(message, windowBits), alone, `${windowBits} ${length}`);
      }
    }
  }
});

test("a message deflates to the same bytes whatever was deflated before it", () => {
  const random = seededRandom();
  const used = new Subject();
  for (let windowBits = 9; windowBits <= 15; windowBits++) {
    const message = randomMessage(random, 3000);
    const alone = new Subject().deflate(message, windowBits);
    used.deflate(Buffer.concat([randomMessage(random, 40_000), message]), windowBits);
    assert.deepEqual(used.deflate(message, windowBits), alone);
  }
});

test("offset and length choose a part of the input, and an output that is too small gets 0", () => {
  const { codec, progress } = new Subject();
  const input = Buffer.from("__Hello__");
  const output = Buffer.alloc(12);
  assert.equal(codec.deflate(input, 2, 5, 15, output), 7);
  assert.equal(output.toString("hex", 0, 7), "f248cdc9c90700");
  assert.equal(codec.deflate(input, 2, 5, 15, output.subarray(0, 11)), 0);
  assert.equal(codec.deflate(input, 2, 5, 15, new Uint8Array(0)), 0);
  assert.equal(codec.deflate(input, 9, 0, 15, output), 1);
  const framed = Buffer.from("ff00f248cdc9c90700ff", "hex");
  assert.equal(codec.inflate(framed, 2, 7, output, true, true), INFLATED);
  assert.equal(output.toString("latin1", 0, 5), "Hello");
  assert.deepEqual([...progress], [7, 5]);
  assert.equal(codec.inflate(framed, 2, 7, new Uint8Array(0), true, true), INFLATE_FULL);
  assert.equal(progress[1], 0);
});

test("a wrong argument throws", () => {
  const { codec } = new Subject();
  const bytes = new Uint8Array(8);
  assert.throws(() => binding.createCodec(new Int32Array(1)), /progress wants two fields/);
  assert.throws(() => binding.createCodec(new Uint32Array(2) as never), /another kind/);
  for (const windowBits of [8, 16, -15, 0]) {
    assert.throws(() => codec.deflate(bytes, 0, 8, windowBits, bytes), /not within 9 and 15/);
  }
  for (const [offset, length] of [
    [-1, 2],
    [0, 9],
    [8, 1],
    [4, -1],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ] as const) {
    assert.throws(() => codec.inflate(bytes, offset, length, bytes, true, true), RangeError);
    assert.throws(() => codec.deflate(bytes, offset, length, 15, bytes), RangeError);
  }
  assert.throws(() => codec.inflate("text" as never, 0, 1, bytes, true, true), TypeError);
  assert.throws(() => codec.inflate(bytes, 0, 8, new Int8Array(8) as never, true, true), TypeError);
  assert.throws(
    () => codec.inflate(bytes, 0, 8, bytes, 1 as never, true),
    /a boolean was expected/,
  );
  assert.throws(() => codec.deflate(bytes, 0, 8, "15" as never, bytes), TypeError);
  assert.throws(() => codec.deflate(bytes, 0, 8, 15, undefined as never), TypeError);
});

test("a codec lives as long as one of its verbs, and its streams are freed with it", async () => {
  const url = JSON.stringify(new URL("./binding.js", import.meta.url).href);
  const { code, stderr } = await runNode([
    "--expose-gc",
    "--input-type=module",
    "-e",
    `import { Worker } from "node:worker_threads";
    import { loadBinding } from ${url};
    const bytes = new Uint8Array(64);
    function use({ inflate, deflate }) {
      for (let bits = 9; bits <= 15; bits++) deflate(bytes, 0, 32, bits, bytes);
      inflate(Uint8Array.of(3, 0), 0, 2, bytes, true, true);
      return inflate;
    }
    const collected = async () => { gc(); await new Promise(setImmediate); };
    const { createCodec } = loadBinding();
    const inflate = use(createCodec(new Int32Array(2)));
    const start = process.memoryUsage.rss();
    // 200 codecs of more than a megabyte.
    for (let round = 0; round < 200; round++) {
      use(createCodec(new Int32Array(2)));
      await collected();
    }
    const grown = process.memoryUsage.rss() - start;
    if (grown > 64 << 20) throw new Error("grew by " + grown);
    const state = inflate(Uint8Array.of(0), 0, 1, bytes, true, true);
    if (state !== 0) throw new Error("it is no message");
    const source = \`import(${url}).then(({ loadBinding }) => {
      const codec = loadBinding().createCodec(new Int32Array(2));
      codec.deflate(new Uint8Array(9), 0, 9, 15, new Uint8Array(64));
    })\`;
    const worker = new Worker(source, { eval: true });
    await new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
    process.exitCode = 7;`,
  ]);
  assert.equal(code, 7, stderr);
});
