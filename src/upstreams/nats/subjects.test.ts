import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../../test/support/seed.ts";
import { formatConnectionId, makeNonce, placeOf } from "../../core/connection-id.ts";
import { covers, decodeToken, encodeToken, PARTITIONS, partitionOf, Subjects } from "./subjects.ts";

const ID = "Xb0pFi8Yx2U.AAAHAAAAAg";
const subjects = new Subjects("headgate", "chat");

test("events have the subjects that the page on NATS names", () => {
  assert.equal(subjects.connect, "headgate.event.chat.connect");
  assert.equal(subjects.connected, "headgate.event.chat.connected");
  assert.equal(subjects.disconnected, "headgate.event.chat.disconnected");
  assert.equal(subjects.message(ID), `headgate.event.chat.message.${partitionOf(ID)}`);
  assert.equal(subjects.events.length, 2 + PARTITIONS);
  assert.ok(!subjects.events.includes(subjects.connect));
});

test("a connection id is always in the same partition, which other languages find too", () => {
  // The hash's own test vectors, folded by hand: 0xe40c292c, 0xbf9cf968.
  assert.equal(partitionOf("a"), 0xc ^ 0xc);
  assert.equal(partitionOf("foobar"), 0x8 ^ 0xc);
});

test("connections of one worker are spread over all partitions", () => {
  const nonce = makeNonce();
  const counts = new Array<number>(PARTITIONS).fill(0);
  const total = 16_000;
  for (let slot = 0; slot < total; slot += 1) {
    const partition = partitionOf(formatConnectionId(nonce, placeOf(slot, slot % 5)));
    counts[partition] = (counts[partition] as number) + 1;
  }
  const even = total / PARTITIONS;
  const isSpread = counts.every((count) => count > even * 0.7 && count < even * 1.3);
  assert.ok(isSpread, counts.join(" "));
});

test("a worker subscribes to its own connections, and to users, groups and all", () => {
  assert.deepEqual(subjects.pushes("Xb0pFi8Yx2U").sort(), [
    "headgate.push.chat.all",
    "headgate.push.chat.conn.Xb0pFi8Yx2U.*",
    "headgate.push.chat.group.*",
    "headgate.push.chat.user.*",
  ]);
});

test("the subject of a push names its target", () => {
  const cases: [string, unknown][] = [
    [subjects.replyTo(ID), { kind: "connection", connectionId: ID }],
    ["headgate.push.chat.all", { kind: "all" }],
    ["headgate.push.chat.user.ann", { kind: "user", user: "ann" }],
    [`headgate.push.chat.user.${encodeToken("Zoë")}`, { kind: "user", user: "Zoë" }],
    [`headgate.push.chat.group.${encodeToken("a.b *")}`, { kind: "group", group: "a.b *" }],
  ];
  for (const [subject, target] of cases) assert.deepEqual(subjects.targetOf(subject), target);
});

test("a subject of another hub, of no kind, or with a token of no name is no target", () => {
  const rests = ["chat2.all", "chat.user.", "chat.user.~", "chat.user.~_w", "chat.user.a b"];
  for (const rest of [...rests, "chat.everyone", "chat.group.~*"]) {
    assert.equal(subjects.targetOf(`headgate.push.${rest}`), undefined, rest);
  }
});

test("a name stays itself as a token where it can, and every name comes back", () => {
  assert.equal(encodeToken("room-1_A"), "room-1_A");
  assert.equal(encodeToken("room 1"), "~cm9vbSAx");
  assert.equal(encodeToken("~x"), "~fng");
  const isWhole = (name: string) => Buffer.from(name, "utf8").toString("utf8") === name;
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }).filter(isWhole), (name) => {
      const token = encodeToken(name);
      assert.match(token, /^~?[A-Za-z0-9_-]+$/);
      assert.equal(decodeToken(token), name);
    }),
    { seed: testSeed(), numRuns: propertyRuns(200, 5000) },
  );
});

test("a stream's subject covers what its wildcards stand for", () => {
  const cases: [string, string, boolean][] = [
    ["a.b.c", "a.b.c", true],
    ["a.*.c", "a.b.c", true],
    ["a.>", "a.b.c", true],
    [">", "a", true],
    ["a.b.>", "a.b", false],
    ["a.*", "a.b.c", false],
    ["a.b.c", "a.b", false],
    ["a.b.d", "a.b.c", false],
  ];
  for (const [filter, subject, expected] of cases) {
    assert.equal(covers(filter, subject), expected, `${filter} ${subject}`);
  }
});
