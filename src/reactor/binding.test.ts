/**
 * The addon through its TypeScript seam, with real sockets and Node's own event loop. What the C
 * files do in every corner is tested in native/test; here it is arguments and wake-ups.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import * as seam from "./binding.ts";

const binding = seam.loadBinding();

function pollerOptions(): seam.PollerOptions {
  const slots = 16;
  const eventsMax = 8;
  const acceptsMax = 4;
  return {
    slots,
    arena: new Uint8Array(1 << 20),
    inputStart: 65536,
    inputEnd: 1 << 20,
    eventsMax,
    acceptsMax,
    turnBytes: 262144,
    readBytesMin: 16384,
    readBytesMax: 65536,
    batch: new Int32Array((2 * eventsMax + acceptsMax) * seam.BATCH_STRIDE),
    generations: new Uint32Array(slots),
    entries: new Int32Array(64 * seam.ENTRY_STRIDE),
    heads: new Int32Array(slots).fill(-1),
    flushing: new Int32Array(slots),
    short: new Int32Array(2 * slots),
    unmasking: new Int32Array(5),
  };
}

function unmask(
  { poller, options }: { poller: seam.Poller; options: seam.PollerOptions },
  ...[offset, length, key, utf8, to = offset]: [number, number, number, number, number?]
): number {
  options.unmasking.set([offset, length, key, utf8, to]);
  poller.unmask();
  return options.unmasking[3] as number;
}

interface Batch {
  slot: number;
  kind: number;
  offset: number;
  length: number;
}

/** A started poller with a listener, whose records wait in a queue until a test asks for them. */
class Running {
  readonly options = pollerOptions();
  readonly poller = binding.create(this.options);
  readonly listener: number;
  readonly port: number;
  #records: Batch[] = [];
  #wake: () => void = () => {};

  constructor(context: TestContext) {
    const descriptor = binding.listen({
      address: "127.0.0.1",
      port: 0,
      backlog: 16,
      userTimeoutMs: 30000,
    });
    assert.ok(descriptor >= 0);
    this.port = binding.listenPort(descriptor);
    this.listener = this.poller.adopt(descriptor);
    context.after(() => this.poller.stop());
    this.poller.start(() => {
      this.#turn();
      this.#wake();
    });
  }

  #turn(): void {
    const { batch } = this.options;
    const count = this.poller.turn(this.options.eventsMax);
    for (let at = 0; at < count * seam.BATCH_STRIDE; at += seam.BATCH_STRIDE) {
      const [slot = 0, kind = 0, offset = 0, length = 0] = batch.subarray(at);
      // The others are reported every turn until somebody acts on them.
      if (kind === seam.WRITABLE) this.poller.watch(slot, 0);
      if (kind === seam.END) this.poller.watch(slot, 0);
      this.#records.push({ slot, kind, offset, length });
    }
  }

  async record(kind: number): Promise<Batch> {
    while (this.#records.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const record = this.#records.shift();
    assert.equal(record?.kind, kind);
    return record;
  }

  async accept(): Promise<{ client: Socket; slot: number }> {
    const client = connect(this.port, "127.0.0.1");
    const { slot, offset } = await this.record(seam.ACCEPTED);
    assert.equal(offset, this.listener);
    return { client, slot };
  }

  /** Sends what lies in the arena to one slot, by way of a chain. */
  flush(slot: number, offset: number, length: number): number {
    this.options.entries.set([offset, length, -1]);
    this.options.heads[slot] = 0;
    this.options.flushing[0] = slot;
    return this.poller.flush(1);
  }
}

test("a client is accepted, read from the arena, answered from it and closed", async (context) => {
  const running = new Running(context);
  const { client, slot } = await running.accept();
  assert.equal(running.poller.peerAddress(slot), "127.0.0.1");

  client.write("hello");
  const { offset, length } = await running.record(seam.BYTES);
  assert.equal(Buffer.from(running.options.arena.buffer, offset, length).toString(), "hello");

  assert.equal(running.flush(slot, offset, length), 0);
  assert.equal(running.options.heads[slot], -1);
  assert.equal((await once(client, "data")).toString(), "hello");

  client.end();
  assert.equal((await running.record(seam.END)).slot, slot);
  running.poller.close(slot, false);
  await once(client, "close");
  assert.equal(running.options.generations[slot], 1);
});

test("what a full socket did not take goes out by write once it is writable", async (context) => {
  const running = new Running(context);
  const { client, slot } = await running.accept();
  const bytes = new Uint8Array(16 << 20).map((_, index) => index % 251);
  const received: Buffer[] = [];
  client.on("data", (chunk) => received.push(chunk));
  client.pause();
  let sent = 0;
  while (sent < bytes.length) {
    const taken = running.poller.write(slot, bytes, sent, bytes.length - sent);
    assert.ok(taken >= 0);
    sent += taken;
    if (taken > 0) continue;
    client.resume();
    running.poller.watch(slot, seam.WRITE);
    await running.record(seam.WRITABLE);
  }
  running.poller.shutdown(slot);
  await once(client, "end");
  assert.equal(Buffer.compare(Buffer.concat(received), bytes), 0);
});

test("unmask works on the arena and carries the state of the UTF-8 check", () => {
  const options = pollerOptions();
  const poller = binding.create(options);
  const text = new TextEncoder().encode("a 20 € note, and so on to more than 32 bytes");
  // A key above 2^31 is a number that does not fit a signed integer.
  const key = 0xf1e2d3c4;
  const mask = [0xc4, 0xd3, 0xe2, 0xf1];
  options.arena.set(
    text.map((byte, index) => byte ^ (mask[index % 4] as number)),
    100,
  );
  // The euro sign takes the bytes 5 to 7.
  const state = unmask({ poller, options }, 100, 6, key, seam.UTF8_ACCEPT);
  assert.ok(state > seam.UTF8_REJECT);
  const rotated = 0xd3c4f1e2;
  assert.equal(unmask({ poller, options }, 106, text.length - 6, rotated, state), seam.UTF8_ACCEPT);
  assert.deepEqual(options.arena.slice(100, 100 + text.length), text);
  assert.equal(unmask({ poller, options }, 100, 8, 0, seam.UTF8_OFF), seam.UTF8_OFF);
  assert.equal(unmask({ poller, options }, 106, 2, 0, seam.UTF8_ACCEPT), seam.UTF8_REJECT);
  options.arena.set([1, 2, 3], 50);
  unmask({ poller, options }, 50, 3, 0x01010101, seam.UTF8_OFF, 48);
  assert.deepEqual([...options.arena.slice(48, 53)], [0, 3, 2, 2, 3]);
  poller.stop();
});

test("a slot that is not open, a range outside its buffer and a stopped poller throw", () => {
  const options = pollerOptions();
  const poller = binding.create(options);
  const bytes = new Uint8Array(8);
  const descriptor = binding.listen({
    address: "127.0.0.1",
    port: 0,
    backlog: 1,
    userTimeoutMs: 0,
  });
  const slot = poller.adopt(descriptor);
  for (const wrong of [-1, slot + 1, options.slots, 2 ** 31 - 1]) {
    assert.throws(() => poller.watch(wrong, seam.READ), /the slot is not open/);
    assert.throws(() => poller.close(wrong, false), /the slot is not open/);
    assert.throws(() => poller.write(wrong, bytes, 0, 8), /the slot is not open/);
    assert.throws(() => poller.shutdown(wrong), /the slot is not open/);
    assert.throws(() => poller.peerAddress(wrong), /the slot is not open/);
  }
  assert.throws(() => poller.watch(Number("x"), Symbol() as unknown as number), TypeError);
  for (const [offset, length] of [
    [-1, 2],
    [0, 9],
    [8, 1],
    [4, -1],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ]) {
    assert.throws(() => poller.write(slot, bytes, offset as number, length as number), RangeError);
  }
  assert.throws(
    () => unmask({ poller, options }, options.arena.length, 1, 0, seam.UTF8_OFF),
    RangeError,
  );
  assert.throws(() => unmask({ poller, options }, 0, 1, 0, 99), RangeError);
  assert.throws(() => unmask({ poller, options }, 0, 1, 0, seam.UTF8_OFF, -1), RangeError);
  poller.stop();
  poller.stop();
  assert.throws(() => poller.turn(1), /stopped/);
  assert.throws(() => poller.watch(slot, seam.READ), /stopped/);
});

test("a number out of range and an array that is too small are named", () => {
  const wrong: [Partial<seam.PollerOptions>, RegExp][] = [
    [{ slots: 0 }, /slots is not within/],
    [{ slots: 2 ** 20 + 1 }, /slots is not within/],
    [{ eventsMax: Number.NaN }, /eventsMax is not within/],
    [{ readBytesMax: 1 }, /readBytesMax is not within/],
    [{ inputEnd: 1 }, /inputEnd is not within/],
    [{ inputEnd: 2 ** 20 + 1 }, /the arena is too small/],
    [{ inputStart: 2 ** 20 - 100 }, /the arena is too small/],
    [{ batch: new Int32Array(79) }, /batch holds less/],
    [{ heads: new Int32Array(15) }, /generations and heads/],
    [{ generations: new Uint32Array(15) }, /generations and heads/],
    [{ short: new Int32Array(31) }, /short wants a pair/],
    [{ unmasking: new Int32Array(4) }, /unmasking wants five fields/],
    [{ heads: new Uint8Array(64) as unknown as Int32Array }, /another kind of typed array/],
  ];
  for (const [change, message] of wrong) {
    assert.throws(() => binding.create({ ...pollerOptions(), ...change }), message);
  }
});

test("steering leaves out a listener until it is named again", async () => {
  const first = binding.listen({ address: "127.0.0.1", port: 0, backlog: 64, userTimeoutMs: 0 });
  const port = binding.listenPort(first);
  const second = binding.listen({ address: "127.0.0.1", port, backlog: 64, userTimeoutMs: 0 });
  const options = pollerOptions();
  const poller = binding.create(options);
  poller.adopt(first);
  const open = poller.adopt(second);
  assert.equal(binding.steer(first, Int32Array.of(1)), 0);
  const clients = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const client = connect(port, "127.0.0.1");
      await once(client, "connect");
      return client;
    }),
  );
  const listeners: (number | undefined)[] = [];
  const turn = () => poller.turn(options.eventsMax);
  for (let count = turn(); count > 0; count = turn()) {
    for (let index = 0; index < count; index++) {
      listeners.push(options.batch[index * seam.BATCH_STRIDE + 2]);
    }
  }
  assert.deepEqual(
    listeners,
    Array.from(clients, () => open),
  );
  for (const client of clients) client.destroy();
  poller.stop();
});

test("stop closes every socket, ends the wake-ups and lets the process go", async (context) => {
  const before = (await readdir("/proc/self/fd")).length;
  const running = new Running(context);
  const { client, slot } = await running.accept();
  client.on("error", () => {});
  running.poller.stop();
  await once(client, "close");
  assert.throws(() => running.poller.close(slot, false), /stopped/);
  // The client's own descriptor closes within the loop's next iteration.
  while ((await readdir("/proc/self/fd")).length > before) await new Promise(setImmediate);
});
