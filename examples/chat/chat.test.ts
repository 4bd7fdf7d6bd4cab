/** Tests of the rooms, without a clock and without a gateway. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chat, HISTORY_MAX, Room } from "./chat.ts";

function people(room: Room): string {
  return room
    .presence()
    .people.map(({ name, tabs }) => `${name}:${tabs}`)
    .join(" ");
}

function say(room: Room, id: string, name = "Ada") {
  return room.say({ id, name, text: `text of ${id}`, atMs: 0 });
}

test("a person with two tabs is one person and joins once", () => {
  const room = new Room("log");
  assert.equal(room.enter("c1", "Ada"), true);
  assert.equal(room.enter("c2", "Ada"), false);
  assert.equal(people(room), "Ada:2");
});

test("a person is gone when the last tab is", () => {
  const room = new Room("log");
  room.enter("c1", "Ada");
  room.enter("c2", "Ada");
  assert.deepEqual(room.leave("c1", false), { name: "Ada", outcome: "stays" });
  assert.deepEqual(room.leave("c2", false), { name: "Ada", outcome: "gone" });
  assert.equal(people(room), "");
  assert.equal(room.isEmpty, true);
});

test("the same event once more changes nothing", () => {
  const room = new Room("log");
  room.enter("c1", "Ada");
  const { version } = room.presence();
  assert.equal(room.enter("c1", "Ada"), false);
  assert.equal(room.leave("unknown", false), undefined);
  assert.equal(room.presence().version, version);
});

test("who broke off and comes back has neither left nor joined", () => {
  const room = new Room("log");
  room.enter("c1", "Ada");
  const left = room.leave("c1", true);
  assert.ok(left?.outcome === "away");
  assert.equal(people(room), "Ada:0");
  assert.equal(room.enter("c2", "Ada"), false);
  assert.equal(room.giveUp("Ada", left.ticket), false);
  assert.equal(people(room), "Ada:1");
});

test("who broke off and does not come back has left", () => {
  const room = new Room("log");
  room.enter("c1", "Ada");
  const left = room.leave("c1", true);
  assert.ok(left?.outcome === "away");
  assert.equal(room.giveUp("Ada", left.ticket), true);
  assert.equal(room.giveUp("Ada", left.ticket), false);
  assert.equal(people(room), "");
  assert.equal(room.enter("c2", "Ada"), true);
});

test("the wait of an earlier break does not end the wait of a later one", () => {
  const room = new Room("log");
  room.enter("c1", "Ada");
  const first = room.leave("c1", true);
  room.enter("c2", "Ada");
  const second = room.leave("c2", true);
  assert.ok(first?.outcome === "away" && second?.outcome === "away");
  assert.equal(room.giveUp("Ada", first.ticket), false);
  assert.equal(room.giveUp("Ada", second.ticket), true);
});

test("every change of the people makes a newer version", () => {
  const room = new Room("log");
  const versions = [room.presence().version];
  const note = () => versions.push(room.presence().version);
  room.enter("c1", "Ada");
  note();
  const left = room.leave("c1", true);
  note();
  assert.ok(left?.outcome === "away");
  room.giveUp("Ada", left.ticket);
  note();
  assert.deepEqual(versions, [0, 1, 2, 3]);
});

test("messages are numbered from 1 and the last ones are kept", () => {
  const room = new Room("log");
  for (let count = 1; count <= HISTORY_MAX + 3; count += 1) say(room, `m${count}`);
  assert.equal(room.messages.length, HISTORY_MAX);
  assert.equal(room.messages[0]?.number, 4);
  assert.equal(room.messages.at(-1)?.number, HISTORY_MAX + 3);
});

test("a message that comes again is the same message, also when it is no longer shown", () => {
  const room = new Room("log");
  const first = say(room, "again");
  assert.equal(say(room, "again"), first);
  for (let count = 0; count < HISTORY_MAX; count += 1) say(room, `m${count}`);
  assert.equal(room.messages.includes(first), false);
  assert.equal(say(room, "again"), first);
  assert.equal(room.messages.at(-1)?.id, `m${HISTORY_MAX - 1}`);
});

test("two people may choose the same id for two messages", () => {
  const room = new Room("log");
  assert.equal(say(room, "m", "Ada").number, 1);
  assert.equal(say(room, "m", "Grace").number, 2);
});

test("what is remembered of old messages is bounded", () => {
  const room = new Room("log");
  say(room, "first");
  for (let count = 0; count < 500; count += 1) say(room, `m${count}`);
  assert.equal(say(room, "first").number, 502);
});

test("a census takes out those whom the gateway no longer has", () => {
  const room = new Room("log");
  room.enter("c1", "Ada");
  room.enter("c2", "Ada");
  room.enter("c3", "Grace");
  const census = room.beginCensus();
  const outcome = room.settle(census, [{ connectionId: "c1", name: "Ada" }]);
  assert.deepEqual(outcome, { gone: ["Grace"], changed: true });
  assert.equal(people(room), "Ada:1");
});

test("a census keeps those who came while it was under way", () => {
  const room = new Room("log");
  const census = room.beginCensus();
  room.enter("c1", "Ada");
  assert.deepEqual(room.settle(census, []), { gone: [], changed: false });
  assert.equal(people(room), "Ada:1");
});

test("the first census brings in whom an earlier service had let in, but not who just left", () => {
  const room = new Room("log");
  const census = room.beginCensus();
  room.leave("c2", false);
  const present = [
    { connectionId: "c1", name: "Ada" },
    { connectionId: "c2", name: "Grace" },
  ];
  assert.equal(room.settle(census, present).changed, true);
  assert.equal(people(room), "Ada:1");
});

test("a later census brings in nobody: who is new is announced by an event", () => {
  const room = new Room("log");
  room.settle(room.beginCensus(), []);
  const later = room.settle(room.beginCensus(), [{ connectionId: "c1", name: "Ada" }]);
  assert.equal(later.changed, false);
  assert.equal(people(room), "");
});

test("rooms that nobody is in make place for new ones, and others stay", () => {
  let logs = 0;
  const chat = new Chat(() => {
    logs += 1;
    return `log-${logs}`;
  });
  const kept = chat.room("kept");
  kept.enter("c1", "Ada");
  const empty = chat.room("empty");
  for (let count = 0; count < 999; count += 1) chat.room(`room-${count}`);
  assert.equal(chat.room("kept"), kept);
  assert.notEqual(chat.room("empty").log, empty.log);
});
