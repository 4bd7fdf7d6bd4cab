import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { Membership } from "./membership.ts";

const USERS = ["ann", "bob", "", "__proto__"];
const GROUPS = ["red", "green", "blue", "constructor", ""];
const SLOTS = 6;

describe("membership", () => {
  test("knows who is which user, and finds nobody for a user that nobody is", () => {
    const members = new Membership();
    members.enter(1, "ann");
    members.enter(2, "ann");
    members.enter(3, undefined);
    assert.deepEqual([...members.ofUser("ann")], [1, 2]);
    assert.equal(members.userOf(2), "ann");
    assert.equal(members.userOf(3), undefined);
    assert.equal(members.ofUser("bob").size, 0);
    assert.equal(members.ofGroup("red").size, 0);
  });

  test("takes a connection into a group once, and into no more groups than it may", () => {
    const members = new Membership();
    assert.equal(members.join(1, "red", 2), true);
    assert.equal(members.join(1, "red", 2), true);
    assert.equal(members.join(1, "green", 2), true);
    assert.equal(members.join(1, "blue", 2), false);
    assert.equal(members.join(1, "red", 2), true);
    assert.equal(members.ofGroup("blue").size, 0);
    members.leave(1, "red");
    assert.equal(members.join(1, "blue", 2), true);
    assert.equal(members.join(2, "blue", 0), false);
  });

  test("forgets a connection that departs wholly", () => {
    const members = new Membership();
    members.enter(1, "ann");
    members.join(1, "red", 9);
    members.join(2, "red", 9);
    members.depart(1);
    assert.equal(members.userOf(1), undefined);
    assert.equal(members.ofUser("ann").size, 0);
    assert.deepEqual([...members.ofGroup("red")], [2]);
  });
});

const operations = fc.array(
  fc.record({
    verb: fc.constantFrom("enter", "depart", "join", "join", "join", "leave", "leaveAll"),
    slot: fc.nat(SLOTS - 1),
    user: fc.option(fc.constantFrom(...USERS), { nil: undefined }),
    group: fc.constantFrom(...GROUPS),
    groupsMax: fc.integer({ min: 1, max: 4 }),
  }),
  { maxLength: 80 },
);
type Operation = (typeof operations extends fc.Arbitrary<infer Each> ? Each : never)[number];

/** One record for each connection, searched from end to end for every question. */
class NaiveMembership {
  readonly connections = new Map<number, { user: string | undefined; groups: Set<string> }>();

  groups(slot: number): Set<string> {
    return this.connections.get(slot)?.groups ?? new Set();
  }

  apply({ verb, slot, user, group, groupsMax }: Operation): boolean | undefined {
    const it = this.connections.get(slot);
    if (verb === "enter") this.connections.set(slot, { user, groups: new Set() });
    else if (verb === "depart") this.connections.delete(slot);
    else if (verb === "leave") it?.groups.delete(group);
    else if (verb === "leaveAll") it?.groups.clear();
    else if (it !== undefined) {
      if (!it.groups.has(group) && it.groups.size >= groupsMax) return false;
      it.groups.add(group);
      return true;
    }
    return undefined;
  }

  where(matches: (it: { user: string | undefined; groups: Set<string> }) => boolean): number[] {
    return [...this.connections].filter(([, it]) => matches(it)).map(([slot]) => slot);
  }
}

function apply(members: Membership, { verb, slot, user, group, groupsMax }: Operation) {
  if (verb === "enter") members.enter(slot, user);
  else if (verb === "depart") members.depart(slot);
  else if (verb === "leave") members.leave(slot, group);
  else if (verb === "leaveAll") members.leaveAll(slot);
  else return members.join(slot, group, groupsMax);
  return undefined;
}

function sorted(slots: Iterable<number>): number[] {
  return [...slots].sort((a, b) => a - b);
}

test("membership agrees with the naive one after every operation, and ends empty", () => {
  fc.assert(
    fc.property(operations, (all) => {
      const members = new Membership();
      const naive = new NaiveMembership();
      for (const operation of all) {
        const isIn = naive.connections.has(operation.slot);
        // Only those who are not in enter, and only those who are in do anything else.
        if (isIn === (operation.verb === "enter")) continue;
        assert.equal(apply(members, operation), naive.apply(operation));
        for (const user of USERS) {
          const expected = naive.where((it) => it.user === user);
          assert.deepEqual(sorted(members.ofUser(user)), sorted(expected));
        }
        for (const group of GROUPS) {
          const expected = naive.where((it) => it.groups.has(group));
          assert.deepEqual(sorted(members.ofGroup(group)), sorted(expected));
        }
      }
      for (const slot of naive.connections.keys()) members.depart(slot);
      // An entry that is gone is answered with the constant that everybody unknown is.
      const nobody = members.ofGroup("never heard of");
      for (const user of USERS) assert.equal(members.ofUser(user), nobody);
      for (const group of GROUPS) assert.equal(members.ofGroup(group), nobody);
    }),
    { seed: testSeed(), numRuns: propertyRuns(200, 20_000) },
  );
});
