import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel } from "./channel.ts";

class FakeProcess {
  connected = true;
  readonly sent: unknown[] = [];
  readonly callbacks: (() => void)[] = [];

  send(message: unknown, _handle: undefined, _options: undefined, written: () => void): boolean {
    this.sent.push(message);
    this.callbacks.push(written);
    return true;
  }

  disconnect(): void {
    this.connected = false;
  }
}

test("the channel closes behind everything that was sent", async () => {
  const process = new FakeProcess();
  const channel = new Channel(process);
  channel.send({ type: "full", full: true });
  channel.send({ type: "ready" });
  const closed = channel.close();
  process.callbacks[0]?.();
  await new Promise(setImmediate);
  assert.equal(process.connected, true);
  process.callbacks[1]?.();
  await closed;
  assert.equal(process.connected, false);
  assert.deepEqual(process.sent, [{ type: "full", full: true }, { type: "ready" }]);
});

test("what is sent after the supervisor is gone is dropped, and counts as written", async () => {
  const process = new FakeProcess();
  process.connected = false;
  const channel = new Channel(process);
  let written = 0;
  channel.send({ type: "ready" }, () => written++);
  await channel.close();
  assert.equal(written, 1);
  assert.deepEqual(process.sent, []);
});
