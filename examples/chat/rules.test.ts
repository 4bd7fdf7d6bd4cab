import assert from "node:assert/strict";
import { test } from "node:test";
import { nameProblem, roomProblem, textProblem, tidyName } from "./rules.ts";

const goodNames = [
  "A",
  "Ada Lovelace",
  "Mei 梅",
  "Zoë",
  "👩‍🚀",
  "O'Neil <b>",
  "x".repeat(32),
  "100 %",
];
const badNames = [
  "",
  "x".repeat(33),
  "a\nb",
  "\u202eevil",
  "\u2066evil",
  "\u200b",
  "a\u0000b",
  "\ud800",
  "\u2028",
];
const goodRooms = ["lobby", "a", "room-1", "x".repeat(32)];
const badRooms = ["", "Lobby", "a b", "ä", "a/b", "x".repeat(33), "lobby\n"];
const goodTexts = ["a", "x".repeat(2000), "<script>", "line\nline", "😀"];
const badTexts = ["", "  \n ", "x".repeat(2001)];

test("good names, rooms and texts are taken", () => {
  for (const name of goodNames) assert.equal(nameProblem(name), undefined, name);
  for (const room of goodRooms) assert.equal(roomProblem(room), undefined, room);
  for (const text of goodTexts) assert.equal(textProblem(text), undefined, text);
});

test("what is wrong with the others is said in a sentence", () => {
  for (const name of badNames) assert.match(nameProblem(name) ?? "", /^[A-Z].*\.$/, name);
  for (const room of badRooms) assert.match(roomProblem(room) ?? "", /^[A-Z].*\.$/, room);
  for (const text of badTexts) assert.match(textProblem(text) ?? "", /^[A-Z].*\.$/, text);
});

test("two spellings of a name make one name", () => {
  assert.equal(tidyName("  Zoe\u0308 "), "Zoë");
});
