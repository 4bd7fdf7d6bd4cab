import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { Membership } from "./membership.ts";

const USERS = ["ann", "bob", "", "__proto__"];
const GROUPS = ["red", "green", "blue", "constructor", ""];
/** Some are so far away that the tables have to grow for them, by more than twice. */
const SLOTS = [0, 1, 2, 3, 100, 70_000];

function ofUser(members: Membership, user: string): number[] {
  const slots = new Float64Array(2000);
  return [...slots.subarray(0, members.copyUser(user, slots))];
}

function ofGroup(members: Membership, group: string): number[] {
  const slots = new Float64Array(2000);
  return [...slots.subarray(0, members.copyGroup(group, slots))];
}

describe("membership", () => {
  test("knows who is which user, and finds nobody for a user that nobody is", () => {
    const members = new Membership();
    members.enter(1, "ann");
    members.enter(2, "ann");
    members.enter(3, undefined);
    assert.deepEqual(ofUser(members, "ann"), [1, 2]);
    assert.equal(members.userOf(2), "ann");
    assert.equal(members.userOf(3), undefined);
    assert.deepEqual(ofUser(members, "bob"), []);
    assert.deepEqual(ofGroup(members, "red"), []);
  });

  test("takes a connection into a group once, and into no more groups than it may", () => {
    const members = new Membership();
    assert.equal(members.join(1, "red", 2), true);
    assert.equal(members.join(1, "red", 2), true);
    assert.equal(members.join(1, "green", 2), true);
    assert.equal(members.join(1, "blue", 2), false);
    assert.equal(members.join(1, "red", 2), true);
    assert.deepEqual(ofGroup(members, "blue"), []);
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
    assert.deepEqual(ofUser(members, "ann"), []);
    assert.deepEqual(ofGroup(members, "red"), [2]);
  });

  test("tells the members of a group in the order in which they joined it last", () => {
    const members = new Membership();
    for (const slot of [5, 3, 9, 4]) members.join(slot, "red", 9);
    members.leave(3, "red");
    members.join(3, "red", 9);
    members.join(5, "red", 9);
    assert.deepEqual(ofGroup(members, "red"), [5, 9, 4, 3]);
  });

  test("keeps nothing for connections that are no user and in no group", () => {
    const members = new Membership();
    for (let slot = 0; slot < 1000; slot += 1) members.enter(slot, undefined);
    for (let slot = 0; slot < 1000; slot += 1) members.leave(slot, "red");
    assert.equal(members.bytes, 0);
  });

  test("takes no more than 128 bytes of arrays for a user of its own and a group", () => {
    const members = new Membership();
    const count = 10_000;
    const sizes = new Set<number>();
    for (let slot = 0; slot < count; slot += 1) {
      members.enter(slot, `user-${slot}`);
      members.join(slot, "red", 9);
      sizes.add(members.bytes);
    }
    assert.ok(sizes.size < 60, `${sizes.size} sizes, for each of which an array was copied`);
    // Records of 20 bytes twice, 4 for each slot twice, 12 for the name; doubled at the worst.
    assert.ok(members.bytes / count <= 128, `${members.bytes / count} bytes`);
  });

  test("keeps the same memory however often members come and go, and none when all went", () => {
    const members = new Membership();
    const crowd = (verb: (slot: number) => void) => {
      for (let slot = 0; slot < 1000; slot += 1) verb(slot);
    };
    const arrive = (round: number) => (slot: number) => {
      members.enter(slot, `user-${round}-${slot}`);
      members.join(slot, `group-${round}`, 9);
    };
    members.enter(1000, "ann");
    members.join(1000, "red", 9);
    crowd(arrive(0));
    const { bytes } = members;
    for (let round = 1; round < 20; round += 1) {
      crowd((slot) => members.depart(slot));
      crowd(arrive(round));
    }
    assert.equal(members.bytes, bytes);
    crowd((slot) => members.depart(slot));
    assert.deepEqual(ofGroup(members, "red"), [1000]);
    members.depart(1000);
    assert.equal(members.bytes, 0);
  });
});

const operations = fc.array(
  fc.record({
    verb: fc.constantFrom("enter", "depart", "join", "join", "join", "leave", "leaveAll"),
    slot: fc.constantFrom(...SLOTS),
    user: fc.option(fc.constantFrom(...USERS), { nil: undefined }),
    group: fc.constantFrom(...GROUPS),
    groupsMax: fc.integer({ min: 1, max: 4 }),
  }),
  // Without a size, fast-check would try ten of them at the most.
  { maxLength: 120, size: "max" },
);
type Operation = (typeof operations extends fc.Arbitrary<infer Each> ? Each : never)[number];

interface Naive {
  user: string | undefined;
  groups: Set<string>;
}

/** One record for each connection, searched from end to end for every question. */
class NaiveMembership {
  readonly connections = new Map<number, Naive>();
  readonly #joinedAt = new Map<string, number>();
  #joins = 0;

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
      if (!it.groups.has(group)) this.#joinedAt.set(`${slot} ${group}`, ++this.#joins);
      it.groups.add(group);
      return true;
    }
    return undefined;
  }

  where(matches: (it: Naive) => boolean): number[] {
    return [...this.connections].filter(([, it]) => matches(it)).map(([slot]) => slot);
  }

  /** In the order in which they joined: a set begins anew with who leaves and comes back. */
  ofGroup(group: string): number[] {
    return this.where((it) => it.groups.has(group)).sort(
      (a, b) =>
        (this.#joinedAt.get(`${a} ${group}`) ?? 0) - (this.#joinedAt.get(`${b} ${group}`) ?? 0),
    );
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
        for (const slot of SLOTS) {
          assert.equal(members.userOf(slot), naive.connections.get(slot)?.user);
        }
        for (const user of USERS) {
          const expected = naive.where((it) => it.user === user);
          assert.deepEqual(ofUser(members, user), expected);
        }
        for (const group of GROUPS) {
          assert.deepEqual(ofGroup(members, group), naive.ofGroup(group));
        }
      }
      for (const slot of naive.connections.keys()) members.depart(slot);
      assert.equal(members.bytes, 0);
    }),
    { seed: testSeed(), numRuns: propertyRuns(200, 20_000) },
  );
});
