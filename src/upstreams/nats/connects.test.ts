import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { headers as natsHeaders } from "@nats-io/transport-node";
import { judgeConnect } from "../cloudevents/connect.ts";
import { outcomeOf } from "./connects.ts";

const RULES = {
  subprotocols: [],
  nameBytesMax: 32,
  groupsPerConnectionMax: 4,
  connectionStateBytesMax: 16,
};

function outcome(payload: string, ...pairs: [string, string][]) {
  const headers = natsHeaders();
  for (const [name, value] of pairs) headers.append(name, value);
  const withHeaders = pairs.length === 0 ? {} : { headers };
  return outcomeOf({ data: Buffer.from(payload), ...withHeaders }, 64);
}

function judged(...answer: Parameters<typeof outcome>) {
  const read = outcome(...answer);
  assert.ok(typeof read !== "string", String(read));
  return judgeConnect(read, RULES);
}

test("an answer without headers lets in, with what its JSON says", () => {
  assert.equal(judged("").answer.accepted, true);
  assert.deepEqual(judged('{"userId":"ann"}').answer, {
    accepted: true,
    userId: "ann",
    groups: [],
    subprotocol: undefined,
    connectionState: undefined,
  });
});

test("its headers set connection state and status, whatever the case of their names", () => {
  const { answer } = judged("", ["CE-ConnectionState", "a%20b"]);
  assert.equal(answer.accepted && answer.connectionState, "a b");
  const status: [string, string] = ["Headgate-Status", "401"];
  assert.deepEqual(judged("go away", status, ["content-type", "text/plain"]).answer, {
    accepted: false,
    status: 401,
    contentType: "text/plain",
    body: Buffer.from("go away"),
  });
});

test("an error of a NATS service is a status too", () => {
  const { answer } = judged("", ["Nats-Service-Error-Code", "403"]);
  assert.equal("status" in answer && answer.status, 403);
});

test("what is too long or no JSON is 503, as over HTTP", () => {
  for (const payload of ["x".repeat(65), "no json", "[]"]) {
    const { answer, fault } = judged(payload);
    assert.equal("status" in answer && answer.status, 503, payload);
    assert.ok(fault !== undefined);
  }
});

describe("an answer that is none says why:", () => {
  const cases: [string, string | object, RegExp][] = [
    [
      "the acknowledgement of a stream",
      outcome('{"stream":"headgate", "seq":7}'),
      /a stream stores connect events/,
    ],
    [
      "that of a stream in a domain",
      outcome(' {"domain":"hub","stream":"x","seq":7}'),
      /a stream stores connect events/,
    ],
    ["a status in words", outcome("", ["headgate-status", "no"]), /is "no"/],
    ["a status of no answer", outcome("", ["headgate-status", "101"]), /200 to 599/],
    [
      "two states",
      outcome("", ["ce-connectionstate", "a"], ["ce-connectionstate", "b"]),
      /more than once/,
    ],
  ];
  for (const [what, read, fault] of cases) {
    test(what, () => assert.match(String(read), fault));
  }
});
