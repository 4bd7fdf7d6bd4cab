/** What is kept of connections on links: whose channels are, where they are known, and whose. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../../test/support/seed.ts";
import { placeOf } from "../../core/connection-id.ts";
import { ChannelTable } from "./channel-table.ts";
import { Homes } from "./homes.ts";
import { seedOf, weightOf } from "./rendezvous.ts";

const runs = { seed: testSeed(), numRuns: propertyRuns(100, 5000) };

test("a channel is its place's from open to close, whatever else opens and closes", () => {
  const step = fc.record({ isOpen: fc.boolean(), pick: fc.nat() });
  const property = fc.property(fc.array(step, { maxLength: 800 }), (steps) => {
    const table = new ChannelTable();
    const open = new Map<number, number>();
    for (const { isOpen, pick } of steps) {
      if (isOpen || open.size === 0) {
        const place = pick % 2 === 0 ? placeOf(pick % 1000, pick) : -pick;
        open.set(table.open(place), place);
      } else {
        const channel = [...open.keys()][pick % open.size] as number;
        table.close(channel);
        open.delete(channel);
        assert.ok(Number.isNaN(table.placeOf(channel)));
      }
    }
    for (const [channel, place] of open) assert.equal(table.placeOf(channel), place);
  });
  fc.assert(property, runs);
});

test("channels count up from 1, and those that are over cost nothing", () => {
  const table = new ChannelTable();
  for (let round = 1; round <= 10_000; round += 1) {
    assert.equal(table.open(round), round);
    table.close(round);
    table.close(round);
  }
  assert.equal(table.last, 10_000);
  assert.equal(table.bytes, 0);
  assert.ok(Number.isNaN(table.placeOf(10_001)));
  for (let place = 1; place <= 1000; place += 1) table.open(place);
  assert.ok(table.bytes <= 16 * 1000);
});

test("a home is a place's own, and not of whoever had the slot before", () => {
  const homes = new Homes(8);
  const place = placeOf(3, 7);
  assert.equal(homes.linkOf(place), 0);
  homes.set(place, 5, 11);
  assert.deepEqual([homes.linkOf(place), homes.channelOf(place)], [5, 11]);
  const next = placeOf(3, 8);
  assert.equal(homes.linkOf(next), 0);
  homes.delete(next);
  assert.equal(homes.linkOf(place), 5);
  homes.delete(place);
  assert.equal(homes.linkOf(place), 0);
});

test("an instance less moves its own connections alone, and to all of the others", () => {
  const seeds = ["10.0.0.1:7000", "10.0.0.2:7000", "10.0.0.3:7000", "10.0.0.4:7000"].map(seedOf);
  const chosen = (place: number, among: number[]) =>
    among.reduce((best, seed) => (weightOf(place, seed) > weightOf(place, best) ? seed : best));
  const counts = new Map<number, number>();
  const moved = new Map<number, number>();
  const [gone, ...left] = seeds as [number, ...number[]];
  for (let index = 0; index < 8000; index += 1) {
    const place = placeOf(index % 500, Math.floor(index / 500));
    const home = chosen(place, seeds);
    counts.set(home, (counts.get(home) ?? 0) + 1);
    const next = chosen(place, left);
    if (home !== gone) assert.equal(next, home);
    else moved.set(next, (moved.get(next) ?? 0) + 1);
  }
  for (const count of counts.values()) assert.ok(count > 1700 && count < 2300, `${count}`);
  assert.equal(moved.size, 3);
  for (const count of moved.values()) assert.ok(count > 500, `${count}`);
});
