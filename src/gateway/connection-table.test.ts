import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ASKING, CLOSING, ConnectionTable, FREE, HEAD, LINGERING } from "./connection-table.ts";

function countsOf({ openCount, pendingCount, socketCount }: ConnectionTable): number[] {
  return [openCount, pendingCount, socketCount];
}

describe("the connection table", () => {
  test("counts open ones, handshakes and sockets through all phases of a life", () => {
    const table = new ConnectionTable(4);
    table.begin(1, 1);
    assert.deepEqual(countsOf(table), [0, 1, 1]);
    table.phases[1] = ASKING;
    table.open(1, 2, 50);
    assert.deepEqual(countsOf(table), [1, 0, 1]);
    for (const phase of [CLOSING, LINGERING]) {
      table.leave(1, phase);
      assert.deepEqual(countsOf(table), [0, 0, 1]);
    }
    table.leave(1, FREE);
    table.leave(1, FREE);
    assert.deepEqual(countsOf(table), [0, 0, 0]);
  });

  test("counts those who never come to be open as well", () => {
    for (const phase of [HEAD, ASKING]) {
      const table = new ConnectionTable(4);
      table.begin(1, 1);
      table.phases[1] = phase;
      table.leave(1, LINGERING);
      assert.deepEqual(countsOf(table), [0, 0, 1]);
      table.leave(1, FREE);
      assert.deepEqual(countsOf(table), [0, 0, 0]);
    }
  });

  test("knows nothing of a slot's last connection when the next one begins", () => {
    const table = new ConnectionTable(4);
    table.begin(2, 1);
    table.open(2, 1, 50);
    table.setSubprotocol(2, "chat");
    table.setConnectionState(2, "state");
    table.messagesReceived[2] = 7;
    table.unacknowledgedMessages[2] = 3;
    table.unacknowledgedBytes[2] = 99;
    table.pauses[2] = 15;
    table.pingTicks[2] = 9;
    table.deflateWindowBits[2] = 15;
    assert.equal(table.accepted(2), 4);
    table.leave(2, FREE);
    table.begin(2, 20);
    assert.equal(table.phases[2], HEAD);
    assert.equal(table.accepted(2), 0);
    assert.deepEqual([table.pauses[2], table.pingTicks[2], table.activeTicks[2]], [0, 0, 20]);
    assert.equal(table.unacknowledgedBytes[2], 0);
    assert.equal(table.deflateWindowBits[2], 0);
    assert.equal(table.subprotocol(2), undefined);
    assert.equal(table.connectionState(2), undefined);
  });

  test("keeps what is set, and forgets what is set to nothing", () => {
    const table = new ConnectionTable(4);
    table.setConnectionState(1, "a");
    table.setConnectionState(1, "b");
    assert.equal(table.connectionState(1), "b");
    table.setConnectionState(1, undefined);
    assert.equal(table.connectionState(1), undefined);
  });
});
