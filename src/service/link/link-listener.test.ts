import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { makeTemporaryFolder } from "../../../test/support/temporary-folder.ts";
import { ANSWER_TEXT, CONNECT_ANSWER, PING } from "../../link/frame.ts";
import { createService, type Service } from "../service.ts";
import { LinkPeer, messageFrame } from "./link-peer.test.helper.ts";

function create(): Service {
  const service = createService({ hub: "chat", closeTimeoutMs: 1000 });
  after(() => service.close());
  return service;
}

describe("an address for links", () => {
  test("that somebody else has is named, with what to do", async () => {
    const service = create();
    const { port } = await service.listenLink(0);
    await assert.rejects(service.listenLink({ host: "127.0.0.1", port: port as number }), {
      code: "HG_LISTEN_FAILED",
      message: new RegExp(`at 127.0.0.1:${port}.* Choose another port`),
    });
    const path = join(makeTemporaryFolder(), "service.sock");
    await service.listenLink({ path });
    await assert.rejects(service.listenLink({ path }), {
      code: "HG_LISTEN_FAILED",
      message: new RegExp(`at ${path}.* remove the socket's file`),
    });
  });

  test("that is none is refused by name, and nothing listens", async () => {
    const service = create();
    const nothings: unknown[] = [undefined, null, "7000", "link://127.0.0.1:7000", 70_000, -1];
    nothings.push({}, { port: 1 }, { host: "127.0.0.1" }, { path: "" });
    for (const nothing of nothings) {
      const refused = { code: "HG_SERVICE_OPTIONS", message: /is no address; give a port/ };
      await assert.rejects(service.listenLink(nothing as number), refused);
    }
    await assert.rejects(service.push.toAll("a"), { code: "HG_PUSH_UNCONFIGURED" });
  });
});

test("a service that is closed before it listens says so", async () => {
  for (const host of ["127.0.0.1", "localhost"]) {
    const service = create();
    const listening = service.listenLink({ host, port: 0 });
    const refused = assert.rejects(listening, { code: "HG_SERVICE_CLOSED" });
    await service.close();
    await refused;
  }
});

test("connect events are no part of a link's credit, and are bounded by themselves", async () => {
  const service = createService({ hub: "chat", link: { eventsMax: 1 }, closeTimeoutMs: 1000 });
  after(() => service.close());
  let letIn = () => {};
  const open = new Promise<void>((resolve) => {
    letIn = resolve;
  });
  service.on("connect", async () => {
    await open;
    return undefined;
  });
  const peer = await LinkPeer.open((await service.listenLink(0)).port as number);
  for (let request = 1; request <= 4097; request += 1) peer.connect(request, "AAAAAAAAAAA.c", {});
  await peer.frame(({ type }) => type === CONNECT_ANSWER);
  const [busy] = peer.of(CONNECT_ANSWER);
  assert.deepEqual([busy?.request, busy?.status], [4097, 503]);
  letIn();
  await peer.until(() => peer.of(CONNECT_ANSWER).length === 4097, "all answers");
  assert.equal(peer.of(CONNECT_ANSWER).filter(({ status }) => status === 204).length, 4096);
});

test("a link that has ended ignores what crossed its end, and tells no fault", async () => {
  const errors: Error[] = [];
  const service = createService({ hub: "chat", onError: (error) => errors.push(error) });
  service.on("connect", () => assert.fail("it was asked"));
  const { port } = await service.listenLink(0);
  const peer = await LinkPeer.open(port as number);
  peer.socket.allowHalfOpen = true;
  const closed = service.close();
  await once(peer.socket, "end");
  peer.connect(7, "AAAAAAAAAAA.c", {});
  peer.send({ type: PING, token: 9 });
  peer.socket.end();
  await closed;
  assert.deepEqual(errors, []);
});

test("a handler that closes its service is answered before its link ends", async () => {
  const errors: Error[] = [];
  const service = createService({ hub: "chat", onError: (error) => errors.push(error) });
  let handled = 0;
  service.on("message", (message) => {
    handled += 1;
    void service.close();
    message.reply("closing");
  });
  const peer = await LinkPeer.open((await service.listenLink(0)).port as number);
  peer.open(1, "AAAAAAAAAAA.c");
  peer.send(messageFrame(1, 1, "close"), messageFrame(1, 2, "late"), { type: PING, token: 9 });
  await peer.until(() => peer.isClosed, "the end");
  assert.equal(peer.of(ANSWER_TEXT).length, 1);
  assert.equal(handled, 1);
  assert.deepEqual(errors, []);
});
