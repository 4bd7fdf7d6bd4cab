/**
 * Judges what a client read in a case of the opening handshake: the status, every header of the
 * answer, its body, and that nothing came behind it but an end in order.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type HandshakeCase, UNANSWERED } from "./handshake-case.ts";
import type { HandshakeOutcome } from "./handshake-runner.ts";

/** RFC 9110, 5.6.7. */
const DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

export function checkHandshake(
  each: HandshakeCase,
  outcome: HandshakeOutcome,
  cutting: string,
): void {
  const { head, body } = outcome;
  assert.equal(outcome.endedInOrder, true, `ended in order, ${cutting}`);
  if (each.status === UNANSWERED) {
    assert.deepEqual([head, body], [undefined, ""], cutting);
    return;
  }
  assert.ok(head !== undefined, `an answer, ${cutting}`);
  const fields = fieldsOf(head);
  assert.equal(head.split(" ")[1], String(each.status), `${head}${body} ${cutting}`);
  if (each.status === 101) checkAccepted(each, fields, body, cutting);
  else checkRefused(each, fields, body, cutting);
}

/** A field that is repeated would be an error of its own. */
function fieldsOf(head: string): Map<string, string> {
  const lines = head.trimEnd().split("\r\n").slice(1);
  const fields = new Map(
    lines.map((line) => {
      const [, name = "", value = ""] = /^([\w-]+): (.*)$/.exec(line) ?? [];
      return [name, value];
    }),
  );
  assert.equal(fields.size, lines.length, head);
  return fields;
}

function checkRefused(
  { refusal, bytes, status }: HandshakeCase,
  fields: Map<string, string>,
  body: string,
  cutting: string,
): void {
  assert.ok(refusal);
  const sentence = `${refusal.sentence}\n`;
  assert.equal(body, bytes.startsWith("HEAD ") ? "" : sentence, cutting);
  assert.match(fields.get("Date") as string, DATE);
  assert.ok(Math.abs(Date.parse(fields.get("Date") as string) - Date.now()) < 600_000);
  const expected = new Map([
    ["Date", fields.get("Date")],
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Length", String(sentence.length)],
    ["Connection", status === 426 ? "Upgrade, close" : "close"],
  ]);
  if (status === 426) expected.set("Upgrade", "websocket");
  if (sentence.includes("Version must")) expected.set("Sec-WebSocket-Version", "13");
  assert.deepEqual(fields, expected);
}

function checkAccepted(
  { bytes }: HandshakeCase,
  fields: Map<string, string>,
  body: string,
  cutting: string,
): void {
  const key = /^sec-websocket-key:[ \t]*([^ \t\r]*)/im.exec(bytes)?.[1];
  const proof = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  assert.equal(fields.get("Sec-WebSocket-Accept"), proof.digest("base64"));
  assert.equal(fields.get("Upgrade"), "websocket");
  assert.equal(fields.get("Connection"), "Upgrade");
  const offered = /^sec-websocket-protocol:[ ,]*([^ ,\r]+)/im.exec(bytes)?.[1];
  assert.equal(fields.get("Sec-WebSocket-Protocol"), offered);
  assert.equal(fields.get("Sec-WebSocket-Extensions"), undefined);
  // The frames behind the head were read as frames: the echo, and the answer to the close.
  assert.equal(body, "1:first,8:\x03\ufffd", cutting);
}
