/**
 * The order of what the outbox sends in the middle of a turn: over a poller that takes as many
 * bytes as the test says, so that a socket is full at one call and takes bytes at the next.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Budget } from "../core/budget.ts";
import { ENTRY_STRIDE, type Poller } from "./binding.ts";
import { Outbox } from "./outbox.ts";
import { SlotTable } from "./slot-table.ts";

test("a block is sent behind what it finds unsent, even if the socket takes bytes again", () => {
  const { outbox, taken, takes, sendBytes } = fakeOutbox({ flush: 2, write: 100 });
  sendBytes(1, 2, 3, 4);
  outbox.sendBlock(0, { bytes: Uint8Array.of(5, 6, 7), references: 0, droppable: true });
  takes.flush = 100;
  outbox.flush();
  outbox.drain(0);
  assert.deepEqual(taken, [1, 2, 3, 4, 5, 6, 7]);
});

test("the entry that finds the list full is sent behind what that list leaves unsent", () => {
  const { outbox, taken, takes, sendBytes } = fakeOutbox({ flush: 3, write: 1 << 20 });
  for (let count = 0; count < Outbox.ENTRIES_MAX; count += 1) sendBytes(count & 127);
  sendBytes(200);
  takes.flush = 100;
  outbox.flush();
  outbox.drain(0);
  assert.equal(taken.length, Outbox.ENTRIES_MAX + 1);
  assert.equal(taken.at(-1), 200);
});

/** An outbox over a poller that takes what `takes` says of each slot, and keeps what it took. */
function fakeOutbox(takes: { flush: number; write: number }) {
  const slots = new SlotTable(4);
  const arena = new Uint8Array(Outbox.FIXED_BYTES + Outbox.BYTES);
  const entries = new Int32Array(Outbox.ENTRIES_MAX * ENTRY_STRIDE);
  const [flushing, short] = [new Int32Array(4), new Int32Array(8)];
  const taken: number[] = [];
  const take = (bytes: Uint8Array, max: number): number => {
    taken.push(...bytes.subarray(0, max));
    return Math.min(bytes.length, max);
  };
  const poller = {
    flush(count: number): number {
      assert.equal(count, 1);
      const slot = flushing[0] as number;
      const owed: number[] = [];
      for (let entry = slots.heads[slot] as number; entry >= 0; ) {
        const [offset, length, next] = entries.subarray(entry * ENTRY_STRIDE);
        owed.push(...arena.subarray(offset, (offset as number) + (length as number)));
        entry = next as number;
      }
      const sent = take(Uint8Array.from(owed), takes.flush);
      if (sent < owed.length) short.set([slot, sent]);
      else slots.heads[slot] = -1;
      return sent < owed.length ? 1 : 0;
    },
    write: (_slot: number, bytes: Uint8Array, offset: number, length: number) =>
      take(bytes.subarray(offset, offset + length), takes.write),
  } as unknown as Poller;
  const outbox = new Outbox({
    ...{ poller, slots, arena, start: Outbox.FIXED_BYTES, entries, flushing, short },
    budget: new Budget(2 ** 30),
    tick: () => 1,
    setWriteInterest() {},
    schedule() {},
    queued() {},
    broke: () => assert.fail("nothing broke"),
  });
  slots.open(0, 1);
  const sendBytes = (...bytes: number[]) => {
    const offset = outbox.reserve(bytes.length);
    arena.set(bytes, offset);
    outbox.send(0, offset, bytes.length);
  };
  return { outbox, taken, takes, sendBytes };
}
