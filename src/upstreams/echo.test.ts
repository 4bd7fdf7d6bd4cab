import assert from "node:assert/strict";
import { test } from "node:test";
import { BINARY } from "../core/opcode.ts";
import { EchoUpstream } from "./echo.ts";
import type { UpstreamSink } from "./upstream.ts";
import { ACKNOWLEDGED } from "./upstream.ts";

test("echo sends a message back in place, at once, and nothing else", async () => {
  const calls: unknown[][] = [];
  const refuse = () => assert.fail("echo only replies");
  const sink: UpstreamSink = {
    facts: refuse,
    reply: (...call) => calls.push(call),
    setConnectionState: refuse,
    acknowledged: refuse,
    fail: refuse,
    execute: refuse,
  };
  const echo = new EchoUpstream(sink);
  const bytes = new Uint8Array(8);
  echo.connected();
  assert.equal(echo.message(7, 1, BINARY, bytes, 2, 5), ACKNOWLEDGED);
  echo.disconnected();
  echo.abandoned();
  await echo.close();
  assert.deepEqual(calls, [[7, BINARY, bytes, 2, 5]]);
  assert.equal(calls[0]?.[2], bytes, "the same memory, not a copy");
});

test("echo has nobody to ask, and lets everybody in", async () => {
  const echo = new EchoUpstream({} as UpstreamSink);
  assert.equal((await echo.connect()).accepted, true);
});
