import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { headers as natsHeaders } from "@nats-io/transport-node";
import { BINARY, TEXT } from "../../core/opcode.ts";
import type { UpstreamTarget } from "../upstream.ts";
import { readHeaders } from "./headers.ts";
import { type ReadPush, readPush } from "./push.ts";

const RULES = { pushBytesMax: 64, nameBytesMax: 8 };
const ANN: UpstreamTarget = { kind: "user", user: "ann" };

function read(
  pairs: [string, string][],
  payload: string | Uint8Array = "",
  target: UpstreamTarget | undefined = ANN,
): ReadPush {
  const headers = natsHeaders();
  for (const [name, value] of pairs) headers.append(name, value);
  return readPush(target, readHeaders({ headers }), Buffer.from(payload), RULES);
}

function commandOf(pairs: [string, string][], payload?: string, target?: UpstreamTarget) {
  const push = read(pairs, payload, target);
  assert.equal(push.kind, "command", JSON.stringify(push));
  return (push as ReadPush & { kind: "command" }).command;
}

test("a push without headers is one binary message", () => {
  const push = readPush({ kind: "all" }, readHeaders({}), Buffer.from("hi"), RULES);
  assert.deepEqual(push, {
    kind: "command",
    command: {
      verb: "send",
      target: { kind: "all" },
      excluded: [],
      opcode: BINARY,
      bytes: Buffer.from("hi"),
      argument: "",
      pushId: undefined,
    },
  });
});

test("its content type picks text or binary, whatever the case of the header's name", () => {
  assert.equal(commandOf([["content-type", "text/plain"]], "hi").opcode, TEXT);
  assert.equal(commandOf([["Content-Type", "application/json"]], "1").opcode, TEXT);
  assert.equal(commandOf([["CONTENT-TYPE", "application/octet-stream"]], "1").opcode, BINARY);
});

test("excluded connections may stand in several headers, or in one with commas", () => {
  const pairs: [string, string][] = [
    ["headgate-excluded", "a.1, b.2"],
    ["Headgate-Excluded", "c.3"],
  ];
  assert.deepEqual(commandOf(pairs, "x", { kind: "all" }).excluded, ["a.1", "b.2", "c.3"]);
});

test("a push id goes along", () => {
  assert.equal(commandOf([["headgate-push-id", "id-1"]], "x").pushId, "id-1");
});

test("close has its reason, join and leave have their group as the payload", () => {
  const close = commandOf([["headgate-action", "close"]], "good bye");
  assert.deepEqual([close.verb, close.argument, close.bytes.length], ["close", "good bye", 0]);
  assert.equal(commandOf([["headgate-action", "close"]]).argument, "");
  for (const verb of ["join", "leave"] as const) {
    const command = commandOf([["headgate-action", verb]], "Zoë");
    assert.deepEqual([command.verb, command.argument], [verb, "Zoë"]);
  }
});

describe("a push that cannot be used is told why:", () => {
  const cases: [string, ReadPush, RegExp][] = [
    ["no target", readPush(undefined, new Map(), Buffer.from(""), RULES), /names nobody/],
    ["an action of no kind", read([["headgate-action", "kick"]]), /close, join or leave/],
    [
      "two actions",
      read([
        ["headgate-action", "join"],
        ["Headgate-Action", "leave"],
      ]),
      /stands in it 2 times/,
    ],
    ["too many bytes", read([], "x".repeat(65)), /65 bytes, and pushBytesMax is 64/],
    ["text that is not", read([["content-type", "text/plain"]], Uint8Array.of(255)), /not UTF-8/],
    ["an empty push id", read([["headgate-push-id", ""]]), /1 to 8 bytes/],
    ["no group", read([["headgate-action", "join"]]), /must be the group's name/],
    ["a long group", read([["headgate-action", "join"]], "123456789"), /nameBytesMax is 8/],
    ["a group in octets", read([["headgate-action", "leave"]], Uint8Array.of(255)), /not UTF-8/],
    ["a long reason", read([["headgate-action", "close"]], "x".repeat(124)), /holds 123/],
    [
      "a group that joins one",
      read([["headgate-action", "join"]], "a", { kind: "group", group: "b" }),
      /its subject is group/,
    ],
  ];
  for (const [what, push, fault] of cases) {
    test(what, () => {
      assert.equal(push.kind, "unusable");
      assert.match((push as ReadPush & { kind: "unusable" }).fault, fault);
    });
  }
});
