/** Tests of the rules, and that the page's copy of them says the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as rules from "./rules.ts";

type Rules = Pick<typeof rules, "tidyName" | "nameProblem" | "roomProblem" | "textProblem">;

const pageRules: Rules = await import(
  new URL("../../../examples/chat/page/rules.js", import.meta.url).href
);

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

for (const [where, { nameProblem, roomProblem, textProblem, tidyName }] of [
  ["the service", rules],
  ["the page", pageRules],
] as [string, Rules][]) {
  test(`${where} takes good names, rooms and texts`, () => {
    for (const name of goodNames) assert.equal(nameProblem(name), undefined, name);
    for (const room of goodRooms) assert.equal(roomProblem(room), undefined, room);
    for (const text of goodTexts) assert.equal(textProblem(text), undefined, text);
  });

  test(`${where} says in a sentence what is wrong with the others`, () => {
    for (const name of badNames) assert.match(nameProblem(name) ?? "", /^[A-Z].*\.$/, name);
    for (const room of badRooms) assert.match(roomProblem(room) ?? "", /^[A-Z].*\.$/, room);
    for (const text of badTexts) assert.match(textProblem(text) ?? "", /^[A-Z].*\.$/, text);
  });

  test(`${where} makes one name of two spellings of it`, () => {
    assert.equal(tidyName("  Zoe\u0308 "), "Zoë");
  });
}

test("the page says the same sentences as the service", () => {
  for (const name of badNames) assert.equal(pageRules.nameProblem(name), rules.nameProblem(name));
  for (const room of badRooms) assert.equal(pageRules.roomProblem(room), rules.roomProblem(room));
  for (const text of badTexts) assert.equal(pageRules.textProblem(text), rules.textProblem(text));
});
