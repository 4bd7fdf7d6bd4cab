import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeClose } from "../websocket/encode.ts";
import { disconnects } from "./disconnect.ts";

/** RFC 6455, 7.4.1, and the codes that IANA registered since: those that may stand in a frame. */
const SENDABLE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
/** The connection was gone: nobody was told anything. */
const NOT_SENT = 1006;

describe("a way to end", () => {
  for (const [name, disconnect] of Object.entries(disconnects)) {
    test(`called ${name} has a code that may be sent, or ${NOT_SENT}, and a short reason`, () => {
      assert.equal(disconnect.name, name);
      assert.match(name, /^[a-z][a-z0-9]*(?:-[a-z0-9]+)+$/);
      assert.ok([...SENDABLE, NOT_SENT].includes(disconnect.code), String(disconnect.code));
      assert.notEqual(disconnect.sentence, "");
      // Behind it stands how much was accepted: both fit in a close frame.
      const reason = `${disconnect.sentence} accepted=4294967295`;
      const frame = Buffer.from(encodeClose(disconnect.code, reason));
      assert.equal(frame.subarray(4).toString(), reason);
    });
  }

  test("is a constant", () => {
    for (const disconnect of Object.values(disconnects)) assert.ok(Object.isFrozen(disconnect));
  });

  test("by the client's own fault does not ask it to come back, and by ours does", () => {
    const faults = ["protocol-error", "invalid-utf8", "message-too-big"] as const;
    for (const name of faults) assert.equal(disconnects[name].reconnect, false, name);
    const ours = ["gateway-stopping", "lifetime-over", "buffers-full"] as const;
    for (const name of ours) assert.equal(disconnects[name].reconnect, true, name);
  });
});
