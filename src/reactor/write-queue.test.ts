import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { type Block, WriteQueue } from "./write-queue.ts";

let counter = 0;

/** Blocks whose bytes tell them apart. */
function block(length: number, droppable = true): Block {
  counter += 1;
  const bytes = new Uint8Array(length).map((_, index) => counter * 16 + index);
  return { bytes, references: 0, droppable };
}

function keepReleased(): { released: Block[]; release: (block: Block) => void } {
  const released: Block[] = [];
  const release = (block: Block) => {
    block.references -= 1;
    released.push(block);
  };
  return { released, release };
}

/** All that waits, as the socket would get it. */
function contents(queue: WriteQueue): Buffer {
  const into = new Uint8Array(queue.bytes + 8);
  return Buffer.from(into.subarray(0, queue.gather(into)));
}

describe("a write queue", () => {
  test("holds what of its first block is not out yet, and the others whole", () => {
    const queue = new WriteQueue(5);
    const [a, b] = [block(4), block(3)];
    queue.push(a, 1);
    queue.push(b);
    assert.equal(queue.progressTick, 5);
    assert.equal(queue.bytes, 6);
    assert.equal(queue.blocks, 2);
    assert.deepEqual(queue.first(), { bytes: a.bytes, offset: 1 });
    assert.deepEqual(contents(queue), Buffer.concat([a.bytes.subarray(1), b.bytes]));
  });

  test("counts itself among a block's holders until the block is out", () => {
    const shared = block(4);
    const [one, two] = [new WriteQueue(1), new WriteQueue(1)];
    const { released, release } = keepReleased();
    one.push(shared);
    two.push(shared, 2);
    assert.equal(shared.references, 2);
    two.consume(1, release);
    assert.equal(shared.references, 2);
    two.consume(1, release);
    assert.equal(shared.references, 1);
    assert.equal(two.first(), undefined);
    one.consume(4, release);
    assert.deepEqual(released, [shared, shared]);
    assert.equal(shared.references, 0);
  });

  test("gathers only what fits, and takes nothing off by it", () => {
    const queue = new WriteQueue(1);
    const [a, b, c] = [block(3), block(3), block(3)];
    queue.push(a, 1);
    queue.push(b);
    queue.push(c);
    for (let size = 0; size <= 10; size += 1) {
      const into = new Uint8Array(size);
      const length = queue.gather(into);
      assert.equal(length, Math.min(size, 8));
      const all = Buffer.concat([a.bytes.subarray(1), b.bytes, c.bytes]);
      assert.deepEqual(Buffer.from(into.subarray(0, length)), all.subarray(0, length));
    }
    assert.equal(queue.bytes, 8);
  });

  test("drops the oldest message whole, and counts its bytes no more", () => {
    const queue = new WriteQueue(1);
    const [a, b] = [block(5), block(6)];
    const { released, release } = keepReleased();
    queue.push(a);
    queue.push(b);
    assert.equal(queue.dropOldest(release), true);
    assert.deepEqual(released, [a]);
    assert.equal(queue.bytes, 6);
    assert.deepEqual(contents(queue), Buffer.from(b.bytes));
  });

  test("never drops a message of which the client has a part", () => {
    const queue = new WriteQueue(1);
    const [a, b] = [block(5), block(6)];
    const { released, release } = keepReleased();
    queue.push(a, 1);
    assert.equal(queue.dropOldest(release), false);
    queue.push(b);
    assert.equal(queue.dropOldest(release), true);
    assert.deepEqual(released, [b]);
    assert.deepEqual(contents(queue), Buffer.from(a.bytes.subarray(1)));
  });

  test("never drops a control frame, but the message behind it", () => {
    const queue = new WriteQueue(1);
    const [ping, message, close] = [block(2, false), block(5), block(4, false)];
    const { released, release } = keepReleased();
    for (const each of [ping, message, close]) queue.push(each);
    assert.equal(queue.dropOldest(release), true);
    assert.deepEqual(released, [message]);
    assert.equal(queue.dropOldest(release), false);
    assert.deepEqual(contents(queue), Buffer.concat([ping.bytes, close.bytes]));
  });

  test("drops the frame that begins with a byte, unless the client has a part of it", () => {
    const queue = new WriteQueue(1);
    const pong = () => ({ ...block(3, false), bytes: Uint8Array.of(0x8a, 1, 7) });
    const [begun, message, waiting] = [pong(), block(5), pong()];
    const { released, release } = keepReleased();
    queue.push(begun, 1);
    queue.push(message);
    assert.equal(queue.dropFrame(0x8a, release), false);
    queue.push(waiting);
    assert.equal(queue.dropFrame(0x8a, release), true);
    assert.deepEqual(released, [waiting]);
    assert.deepEqual(contents(queue), Buffer.concat([begun.bytes.subarray(1), message.bytes]));
  });

  test("lets go of every block at once when it is cleared", () => {
    const queue = new WriteQueue(1);
    const blocks = [block(3), block(4, false), block(5)];
    const { released, release } = keepReleased();
    blocks.forEach((each, index) => {
      queue.push(each, index === 0 ? 1 : 0);
    });
    queue.clear(release);
    assert.deepEqual(released, blocks);
    assert.equal(queue.bytes, 0);
    assert.equal(queue.first(), undefined);
    queue.push(block(2));
    assert.equal(queue.first()?.offset, 0);
  });
});

describe("short frames", () => {
  const frame = (text: string) => Buffer.from(text, "latin1");

  test("share memory: a hundred thousand of them wait in one array for each thousand", () => {
    const queue = new WriteQueue(1);
    for (let index = 0; index < 100_000; index += 1) queue.pack(Uint8Array.of(0x82, 0), 0, 2);
    assert.equal(queue.bytes, 200_000);
    assert.ok(queue.blocks < 200, `${queue.blocks} blocks`);
  });

  test("of a few there is little memory", () => {
    const queue = new WriteQueue(1);
    queue.pack(frame("\x82\x01a"), 0, 3);
    assert.ok((queue.first()?.bytes.buffer.byteLength ?? 0) <= 128);
  });

  test("are dropped one by one, and each is released by itself", () => {
    const queue = new WriteQueue(1);
    const { released, release } = keepReleased();
    const frames = ["\x82\x01a", "\x8a\x02bc", "\x81\x03def", "\x8a\x00"].map(frame);
    for (const each of frames) queue.pack(each, 0, each.length);
    assert.equal(queue.dropFrame(0x8a, release), true);
    assert.equal(queue.dropOldest(release), true);
    assert.deepEqual(contents(queue), frame("\x81\x03def\x8a\x00"));
    assert.equal(queue.dropOldest(release), true);
    assert.equal(queue.dropOldest(release), false);
    assert.deepEqual(contents(queue), frame("\x8a\x00"));
    assert.deepEqual(
      released.map(({ bytes }) => Buffer.from(bytes)),
      [frames[1], frames[0], frames[2]],
    );
  });

  test("of which the client has a part are not dropped, and those behind it are", () => {
    const queue = new WriteQueue(1);
    const { release } = keepReleased();
    for (const text of ["\x82\x01a", "\x82\x01b", "\x82\x01c"]) queue.pack(frame(text), 0, 3);
    queue.consume(4, release);
    assert.equal(queue.dropOldest(release), true);
    assert.deepEqual(contents(queue), frame("\x01b"));
    assert.equal(queue.dropOldest(release), false);
    queue.consume(2, release);
    assert.equal(queue.first(), undefined);
  });
});

type Step =
  | { verb: "push"; length: number; droppable: boolean; sent: number }
  | { verb: "pack"; length: number; droppable: boolean; sent: number }
  | { verb: "consume"; share: number }
  | { verb: "drop" };

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: pushes("push") },
    { weight: 3, arbitrary: pushes("pack") },
    {
      weight: 3,
      arbitrary: fc.record({
        verb: fc.constant("consume" as const),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant("drop" as const) }) },
  ),
  { maxLength: 40 },
);

function pushes<Verb extends "push" | "pack">(verb: Verb) {
  return fc.record({
    verb: fc.constant(verb),
    length: fc.integer({ min: 1, max: 12 }),
    droppable: fc.boolean(),
    sent: fc.nat(11),
  });
}

/** The queue as one would write it without a thought for speed. */
class NaiveQueue {
  waiting: { block: Block; offset: number }[] = [];

  get bytes(): Buffer {
    return Buffer.concat(this.waiting.map(({ block, offset }) => block.bytes.subarray(offset)));
  }

  consume(count: number): void {
    for (let left = count; left > 0; left -= 1) {
      const first = this.waiting[0] as { block: Block; offset: number };
      first.offset += 1;
      if (first.offset === first.block.bytes.length) this.waiting.shift();
    }
  }

  drop(): boolean {
    const at = this.waiting.findIndex(({ block, offset }) => offset === 0 && block.droppable);
    if (at >= 0) this.waiting.splice(at, 1);
    return at >= 0;
  }
}

function run(queue: WriteQueue, naive: NaiveQueue, step: Step, release: (block: Block) => void) {
  if (step.verb === "push" || step.verb === "pack") {
    const pushed = block(step.length, step.droppable);
    // Only what begins a queue may have begun.
    const sent = naive.waiting.length === 0 ? Math.min(step.sent, step.length - 1) : 0;
    if (step.verb === "push") queue.push(pushed, sent);
    else {
      pushed.bytes[0] = step.droppable ? 0x82 : 0x8a;
      queue.pack(pushed.bytes, 0, step.length, sent);
    }
    naive.waiting.push({ block: pushed, offset: sent });
  } else if (step.verb === "consume") {
    const count = Math.round(step.share * naive.bytes.length);
    queue.consume(count, release);
    naive.consume(count);
  } else {
    assert.equal(queue.dropOldest(release), naive.drop());
  }
}

test("a write queue does as the naive one does, whatever is pushed, consumed and dropped", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const queue = new WriteQueue(1);
      const naive = new NaiveQueue();
      const { released, release } = keepReleased();
      let pushedBytes = 0;
      for (const step of all) {
        run(queue, naive, step, release);
        if ("length" in step) pushedBytes += step.length;
        assert.deepEqual(contents(queue), naive.bytes);
        assert.equal(queue.bytes, naive.bytes.length);
        assert.ok(queue.blocks <= naive.waiting.length);
        for (const { block } of naive.waiting) assert.ok(block.references <= 1);
      }
      queue.clear(release);
      for (const { references } of released) assert.equal(references, 0);
      // Whoever was charged for each byte is told of each of them.
      assert.equal(
        released.reduce((sum, { bytes }) => sum + bytes.length, 0),
        pushedBytes,
      );
    }),
    { seed: testSeed(), numRuns: propertyRuns(300, 30_000) },
  );
});
