/** What a link does by the clock: a stranger that says nothing, and a gateway that has died. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { PING } from "../../link/frame.ts";
import { Handlers } from "../handlers.ts";
import { ConnectionLines } from "../lines.ts";
import { LinkListener } from "./link-listener.ts";
import { LinkPeer } from "./link-peer.test.helper.ts";

const LONG_MS = 60_000;

async function set(clocks: { helloTimeoutMs?: number; silenceTimeoutMs?: number }) {
  const errors: Error[] = [];
  const handlers = new Handlers((error) => errors.push(error));
  const bounds = { eventsMax: 10, bytesMax: 1000, frameBytesMax: 1000, linksMax: 10, callsMax: 10 };
  const defaults = { helloTimeoutMs: LONG_MS, silenceTimeoutMs: LONG_MS, callTimeoutMs: LONG_MS };
  const limits = { ...bounds, ...defaults, ...clocks };
  const listener = new LinkListener({
    ...{ hub: "chat", keys: [], limits, handlers },
    lines: new ConnectionLines(),
  });
  after(() => listener.close());
  const { port } = await listener.listen(0);
  return { errors, port: port as number };
}

test("a stranger that says no HELLO in time is let go, whatever it says instead", async () => {
  const { errors, port } = await set({ helloTimeoutMs: 30 });
  const peer = await LinkPeer.dial(port);
  peer.socket.write(Uint8Array.of(0, 0, 0));
  await peer.until(() => peer.isClosed, "the end");
  assert.match(errors[0]?.message ?? "", /no HELLO came within 30 ms/);
});

test("a gateway from which nothing comes is dead, and one that pings is not", async () => {
  const { errors, port } = await set({ silenceTimeoutMs: 150 });
  const [silent, alive] = [await LinkPeer.open(port), await LinkPeer.open(port)];
  const pings = setInterval(() => alive.send({ type: PING, token: 1 }), 10);
  await silent.until(() => silent.isClosed, "the end");
  clearInterval(pings);
  assert.equal(alive.isClosed, false);
  assert.match(errors[0]?.message ?? "", /nothing came for 150 ms/);
});
