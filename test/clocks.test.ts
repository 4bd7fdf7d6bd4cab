/** What happens to a connection because time passes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeldUpstream } from "./support/held-upstream.ts";
import { startInProcess } from "./support/in-process-gateway.ts";
import { clientFrame, RawClient, upgradeHead } from "./support/raw-client.ts";

const TEXT = 1;
const PING = 9;
const PONG = 10;

describe("time", () => {
  test("pings a silent client, and keeps the one that answers", async () => {
    const gateway = await startInProcess({ limits: "{ pingIntervalMs: 500, pongTimeoutMs: 500 }" });
    const client = await RawClient.open(gateway.port);
    for (let count = 0; count < 3; count += 1) {
      const { opcode, payload } = await client.nextFrame();
      assert.equal(opcode, PING);
      client.sendFrame(PONG, payload);
    }
    client.destroy();
    await gateway.stop();
  });

  test("closes the one that does not answer", async () => {
    const gateway = await startInProcess({ limits: "{ pingIntervalMs: 300, pongTimeoutMs: 300 }" });
    const client = await RawClient.open(gateway.port);
    const { code, reason } = await client.closeFrame();
    assert.deepEqual([code, reason], [1001, "no answer to a ping accepted=0"]);
    assert.equal(client.frames[0]?.opcode, PING);
    client.destroy();
    await gateway.stop();
  });

  test("takes any byte for a sign of life", async () => {
    const gateway = await startInProcess({ limits: "{ pingIntervalMs: 500, pongTimeoutMs: 500 }" });
    const client = await RawClient.open(gateway.port);
    const until = Date.now() + 2500;
    while (Date.now() < until) {
      await client.until(() => client.frames.some(({ opcode }) => opcode === PING), "a ping");
      client.frames.length = 0;
      client.sendFrame(TEXT, "here");
    }
    assert.equal(client.ended, false);
    client.destroy();
    await gateway.stop();
  });

  test("closes a client from which nothing comes, where pings are off", async () => {
    const gateway = await startInProcess({ limits: "{ pingIntervalMs: 0, idleTimeoutMs: 400 }" });
    const client = await RawClient.open(gateway.port);
    const { code, reason } = await client.closeFrame();
    assert.deepEqual([code, reason], [1001, "idle for too long accepted=0"]);
    client.destroy();
    await gateway.stop();
  });

  test("closes a client that does not finish its message, however lively it is", async () => {
    const gateway = await startInProcess({ limits: "{ fragmentedMessageTimeoutMs: 700 }" });
    const client = await RawClient.open(gateway.port);
    client.sendFrame(TEXT, "begun", false);
    const alive = setInterval(() => client.sendFrame(PONG), 50);
    const { code, reason } = await client.closeFrame();
    clearInterval(alive);
    assert.deepEqual([code, reason], [1008, "message not finished in time accepted=0"]);
    client.destroy();
    await gateway.stop();
  });

  test("ends a connection's life with 1012", async () => {
    const gateway = await startInProcess({
      hub: "paths: [/]\nservice: 'echo:'\nlimits: { lifetimeMs: 500 }",
    });
    const client = await RawClient.open(gateway.port);
    assert.equal((await client.closeFrame()).code, 1012);
    client.destroy();
    await gateway.stop();
  });

  test("answers half a request head with 408", async () => {
    const limits = "{ handshakeTimeoutMs: 500, connectTimeoutMs: 400 }";
    const gateway = await startInProcess({ limits });
    const client = await RawClient.connect(gateway.port);
    client.send(upgradeHead("/").slice(0, 60));
    await client.until(() => client.ended, "the FIN");
    assert.equal(client.status, 408);
    client.destroy();
    await gateway.stop();
  });

  test("resets a peer that does not end after all was said", async () => {
    const gateway = await startInProcess({ limits: "{ closeTimeoutMs: 500 }" });
    const client = await RawClient.open(gateway.port);
    client.send(Buffer.from([0x81, 0x00]));
    assert.equal((await client.closeFrame()).code, 1002);
    await client.until(() => client.ended, "the FIN");
    // Its half of the stream stays open, and what it goes on to send finds nobody any more.
    const talking = setInterval(() => client.sendFrame(TEXT, "and another thing"), 20);
    await client.until(() => client.closed, "the reset");
    clearInterval(talking);
    assert.match(client.error ?? "", /ECONNRESET|EPIPE/);
    await gateway.stop();
  });
});

describe("a client whose service is asked", () => {
  async function startAsking(answer: HeldUpstream["answer"]) {
    let upstream: HeldUpstream | undefined;
    const gateway = await startInProcess({
      hub: "paths: ['/chat/:room']\nservice: 'http://127.0.0.1:1/'",
      limits: "{ handshakeTimeoutMs: 900, connectTimeoutMs: 800 }",
      openUpstream: (sink) => {
        upstream = new HeldUpstream(sink);
        upstream.answer = answer;
        return upstream;
      },
    });
    return { gateway, upstream: upstream as unknown as HeldUpstream };
  }
  const accepted = {
    accepted: true as const,
    userId: "ann",
    groups: ["blue"],
    subprotocol: "chat.v2",
    connectionState: "state",
  };

  test("is let in with the user, groups and subprotocol of the answer", async () => {
    const { gateway, upstream } = await startAsking(Promise.resolve(accepted));
    const headers = { "Sec-WebSocket-Protocol": "chat.v1, chat.v2" };
    const client = await RawClient.open(gateway.port, "/chat/b%20lue?a=1&a=2&b=", headers);
    assert.match(client.head as string, /\r\nSec-WebSocket-Protocol: chat\.v2\r\n/);
    const [request] = upstream.requests;
    assert.equal(request?.path, "/chat/b%20lue");
    assert.deepEqual({ ...request?.params }, { room: "b lue" });
    assert.deepEqual({ ...request?.query }, { a: ["1", "2"], b: [""] });
    assert.deepEqual(request?.subprotocols, ["chat.v1", "chat.v2"]);
    assert.equal(request?.address, "127.0.0.1");
    assert.deepEqual(request?.headers["sec-websocket-version"], ["13"]);
    const facts = upstream.sink.facts(upstream.connectedPlaces[0] as number);
    assert.deepEqual(facts, {
      connectionId: request?.connectionId,
      userId: "ann",
      subprotocol: "chat.v2",
      connectionState: "state",
    });
    const target = { kind: "user", user: "ann" } as const;
    const answer = await gateway.gateway.execute({ verb: "exists", hub: "main", target });
    assert.equal(answer.matched, 1);
    client.destroy();
    await gateway.stop();
  });

  test("gets the service's own refusal", async () => {
    const body = Buffer.from("no such room");
    const refusal = { accepted: false as const, status: 403, contentType: "text/plain", body };
    const { gateway } = await startAsking(Promise.resolve(refusal));
    const client = await RawClient.open(gateway.port, "/chat/blue");
    await client.until(() => client.ended, "the FIN");
    assert.equal(client.status, 403);
    assert.equal(client.rest, "no such room");
    client.destroy();
    await gateway.stop();
  });

  test("gets 503 when nobody answers in time", async () => {
    const { gateway } = await startAsking(new Promise(() => {}));
    const client = await RawClient.open(gateway.port, "/chat/blue");
    assert.equal(client.status, 503);
    client.destroy();
    await gateway.stop();
  });

  test("may send messages before the answer; they come behind connected, in order", async () => {
    let answer = (_: typeof accepted) => {};
    const { gateway, upstream } = await startAsking(
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    const client = await RawClient.connect(gateway.port);
    const early = [clientFrame(TEXT, "first"), clientFrame(TEXT, "second")];
    client.send(Buffer.concat([Buffer.from(upgradeHead("/chat/blue")), ...early]));
    await upstream.until(() => upstream.requests.length === 1, "the question");
    assert.equal(upstream.messages.length, 0);
    client.sendFrame(TEXT, "third");
    answer(accepted);
    await upstream.until(() => upstream.messages.length === 3, "three messages");
    const texts = upstream.messages.map(({ bytes }) => bytes.toString());
    assert.deepEqual(texts, ["first", "second", "third"]);
    assert.equal(upstream.connectedPlaces.length, 1);
    client.destroy();
    await gateway.stop();
  });

  test("and that vanished meanwhile is reported to the service that let it in", async () => {
    let answer = (_: typeof accepted) => {};
    const { gateway, upstream } = await startAsking(
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    const client = await RawClient.connect(gateway.port);
    client.send(upgradeHead("/chat/blue"));
    await upstream.until(() => upstream.requests.length === 1, "the question");
    client.socket.resetAndDestroy();
    await client.until(() => client.closed, "the end");
    // The gateway has seen the reset once it counts nobody.
    while (gateway.gateway.counts().handshakesPending > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    answer(accepted);
    await upstream.until(() => upstream.abandonments.length === 1, "the abandonment");
    assert.equal(upstream.abandonments[0]?.facts.userId, "ann");
    assert.equal(upstream.departures.length, 0);
    await gateway.stop();
  });
});

test("a gateway that stops closes clients with 1012 and answers handshakes with 503", async () => {
  const gateway = await startInProcess();
  const client = await RawClient.open(gateway.port);
  const half = await RawClient.connect(gateway.port);
  half.send("GET / HTTP/1.1\r\n");
  while (gateway.gateway.counts().handshakesPending === 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const stopped = gateway.stop();
  assert.equal((await client.closeFrame()).code, 1012);
  await half.until(() => half.ended, "the FIN");
  assert.equal(half.status, 503);
  client.socket.end();
  half.socket.end();
  await stopped;
  assert.equal(gateway.gateway.counts().connections, 0);
});
