/**
 * service.py as a gateway sees it: how a link begins and ends, what becomes of each event, and
 * that it closes what is out of place.
 */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import * as frames from "../../src/link/frame.ts";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { GatewaySide, PythonService, type Said, skip } from "./gateway-side.test.helper.ts";

const { ACKNOWLEDGE, ANSWER_TEXT, COMMAND, CONNECT_ANSWER, PONG } = frames;
const { REJECT, SEND_TEXT, SERVICE_GOODBYE, STATE, WELCOME } = frames;

const services: PythonService[] = [];
const links: GatewaySide[] = [];
afterEach(async () => {
  for (const link of links.splice(0)) link.close();
  for (const service of services.splice(0)) await service.stop();
});

async function start(...parameters: string[]): Promise<{ service: PythonService; at: string }> {
  const listen = ["--listen", "link://127.0.0.1:0"];
  const service = new PythonService([...listen, ...parameters]);
  services.push(service);
  return { service, at: await service.address() };
}

function dial(address: string): GatewaySide {
  const link = new GatewaySide(address);
  links.push(link);
  return link;
}

function hello(signature = ""): frames.Hello {
  const named = { gateway: "gateway.example", hub: "chat", nonce: "Xb0pFi8Yx2U" };
  return { type: frames.HELLO, version: 1, ...named, frameBytesMax: 1 << 20, signature };
}

/** A link that has begun. */
async function begin(address: string): Promise<GatewaySide> {
  const link = dial(address);
  link.send(hello());
  assert.equal((await link.next()).type, WELCOME);
  return link;
}

function payload(text: string): frames.Payload {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length };
}

function connect(request: number, query: Record<string, string[]>): frames.Connect {
  const body = { claims: {}, query, headers: {}, subprotocols: [], clientCertificates: [] };
  const named = { connectionId: "n.A", traceparent: "", tracestate: "" };
  const content = payload(JSON.stringify(body));
  return { type: frames.CONNECT, request, timeMs: Date.now(), ...named, ...content };
}

function open(channel: number, userId: string, connectionState = ""): frames.Open {
  const connectionId = `n.${userId}`;
  return { type: frames.OPEN, channel, connectionId, userId, subprotocol: "", connectionState };
}

function connected(channel: number): frames.Connected {
  return { type: frames.CONNECTED, channel, timeMs: Date.now() };
}

function message(channel: number, number: number, text: string): frames.Message {
  const timeMs = Date.now();
  return { type: frames.MESSAGE_TEXT, channel, number, timeMs, ...payload(text) };
}

function disconnected(channel: number): frames.Disconnected {
  return { type: frames.DISCONNECTED, channel, timeMs: Date.now(), code: 1000, reason: "" };
}

/** What the room sends to everybody but one. */
function toRoom(text: string, pushId: string, excluded: string): Said {
  const to = { verb: "send", target: "group", name: "lobby", excluded: [excluded] };
  return { type: COMMAND, request: 0, ...to, opcode: 1, argument: "", pushId, payload: text };
}

async function nextOf(link: GatewaySide, count: number): Promise<Said[]> {
  const said: Said[] = [];
  while (said.length < count) said.push(await link.next());
  return said;
}

describe("a link to service.py", { skip }, () => {
  test("begins with HELLO and WELCOME, and lives by PING and PONG", async () => {
    const { at } = await start();
    const link = dial(at);
    link.send(hello());
    const limits = { eventsMax: 1024, bytesMax: 1_048_576, frameBytesMax: 1_114_112 };
    assert.deepEqual(await link.next(), { type: WELCOME, version: 1, ...limits });
    link.send({ type: frames.PING, token: 4_294_967_295 });
    assert.deepEqual(await link.next(), { type: PONG, token: 4_294_967_295 });
  });

  test("asks who is there: CONNECT is answered, each with its request", async () => {
    const link = await begin((await start()).at);
    link.send(
      connect(7, { name: ["Zoë"] }),
      connect(8, {}),
      connect(9, { name: ["x".repeat(33)] }),
    );
    const [good, without, long] = await nextOf(link, 3);
    const answer = { type: CONNECT_ANSWER, connectionState: "" };
    const user = JSON.stringify({ userId: "Zoë", groups: ["lobby"] });
    assert.deepEqual(JSON.parse(good?.payload as string), JSON.parse(user));
    const accepted = { ...answer, request: 7, status: 200, contentType: "application/json" };
    assert.deepEqual({ ...good, payload: "" }, { ...accepted, payload: "" });
    const contentType = "text/plain; charset=utf-8";
    const refused = {
      ...answer,
      status: 400,
      contentType,
      payload: "say who you are: ?name=Ada\n",
    };
    assert.deepEqual(without, { ...refused, request: 8 });
    assert.deepEqual(long, { ...refused, request: 9 });
  });

  test("carries a connection from OPEN to DISCONNECTED, in order", async () => {
    const link = await begin((await start()).at);
    link.send(open(1, "Ada"), connected(1), message(1, 1, "grüße"), message(1, 2, "2"));
    link.send(disconnected(1));
    const answer = { type: ANSWER_TEXT, channel: 1 };
    assert.deepEqual(await nextOf(link, 11), [
      { type: SEND_TEXT, channel: 1, payload: "Ada, you are in the lobby" },
      toRoom("Ada came", "n.Ada/connected", "n.Ada"),
      { type: ACKNOWLEDGE, channel: 1, events: 1 },
      { type: STATE, channel: 1, connectionState: "1" },
      toRoom("Ada: grüße", "n.Ada/1", "n.Ada"),
      { ...answer, payload: "accepted 1" },
      { type: STATE, channel: 1, connectionState: "2" },
      toRoom("Ada: 2", "n.Ada/2", "n.Ada"),
      { ...answer, payload: "accepted 2" },
      toRoom("Ada left", "n.Ada/disconnected", "n.Ada"),
      { type: ACKNOWLEDGE, channel: 1, events: 1 },
    ]);
  });

  test("goes on with the state of a connection that another instance had", async () => {
    const link = await begin((await start()).at);
    link.send(open(1, "Ada", "41"), message(1, 42, "hello"));
    const [state] = await nextOf(link, 3);
    assert.deepEqual(state, { type: STATE, channel: 1, connectionState: "42" });
  });

  test("pushes go over every link, and an answer over its own", async () => {
    const { at } = await start();
    const [link, other] = [await begin(at), await begin(at)];
    link.send(open(1, "Ada"), message(1, 1, "hello"));
    assert.equal((await nextOf(link, 3)).at(-1)?.type, ANSWER_TEXT);
    assert.deepEqual(await other.next(), toRoom("Ada: hello", "n.Ada/1", "n.Ada"));
    other.send({ type: frames.PING, token: 1 });
    assert.equal((await other.next()).type, PONG);
  });

  test("a message that is refused, or that it fails on, ends its channel alone", async () => {
    const link = await begin((await start()).at);
    const binary = { ...message(1, 1, "a"), type: frames.MESSAGE_BINARY } as const;
    link.send(open(1, "Ada"), open(2, "Bob", "no number"), binary, message(1, 2, "late"));
    link.send(message(2, 1, "b"), { type: frames.PING, token: 1 });
    const rejected = { type: REJECT, retryAfterMs: 0 };
    assert.deepEqual(await nextOf(link, 3), [
      { ...rejected, channel: 1, kind: 3, cause: "this chat takes text" },
      { ...rejected, channel: 2, kind: 2, cause: "the service failed" },
      { type: PONG, token: 1 },
    ]);
    link.send(open(3, "Ada"), message(3, 2, "again"));
    assert.deepEqual((await nextOf(link, 3)).at(-1)?.payload, "accepted 1");
  });
});

const outOfPlace: [string, frames.GatewayFrame[]][] = [
  ["a second HELLO", [hello()]],
  ["a message on a channel that was never opened", [message(1, 1, "a")]],
  ["a message on channel 0", [open(1, "Ada"), message(0, 1, "a")]],
  ["a channel that is opened twice", [open(1, "Ada"), open(1, "Bob")]],
  ["a channel below the last one", [open(2, "Ada"), open(1, "Bob")]],
  ["a RESULT that nobody wants", [{ ...resultOf(1), error: "" }]],
];

function resultOf(request: number): Omit<frames.Result, "error"> {
  return { type: frames.RESULT, request, status: 0, matched: 0, dropped: 0 };
}

describe("service.py closes a link, and goes on with the others, for", { skip }, () => {
  test("anything before HELLO", async () => {
    const { service, at } = await start();
    const [other, link] = [await begin(at), dial(at)];
    link.send({ type: frames.PING, token: 1 });
    assert.deepEqual(await link.rest(), []);
    await service.says(/out-of-place: a PING came where none may come/);
    other.send({ type: frames.PING, token: 2 });
    assert.deepEqual(await other.next(), { type: PONG, token: 2 });
  });

  for (const [name, sent] of outOfPlace) {
    test(name, async () => {
      const { service, at } = await start();
      const [other, link] = [await begin(at), await begin(at)];
      link.send(...sent);
      assert.deepEqual(await link.rest(), []);
      await service.says(/ERROR a link is closed: out-of-place: /);
      other.send({ type: frames.PING, token: 2 });
      assert.deepEqual(await other.next(), { type: PONG, token: 2 });
    });
  }

  test("bytes that are no frame", async () => {
    const { service, at } = await start();
    for (const [bytes, fault] of [
      [Buffer.from("GET / HTTP/1.1\r\n\r\n"), "frame-too-large"],
      [Buffer.alloc(4), "frame-cut-short"],
      [Buffer.of(0, 0, 0, 1, 0x4d), "unknown-type"],
    ] as const) {
      const link = dial(at);
      link.sendBytes(bytes);
      assert.deepEqual(await link.rest(), []);
      await service.says(new RegExp(`a link is closed: ${fault}: `));
    }
  });

  test("a HELLO of another version", async () => {
    const { service, at } = await start();
    const link = dial(at);
    link.send({ ...hello(), version: 2 });
    assert.deepEqual(await link.rest(), []);
    await service.says(/2 is another version of the link/);
  });
});

describe("with keys, service.py", { skip }, () => {
  function signed(key: string, seconds = Math.floor(Date.now() / 1000)): frames.Hello {
    const { hub, nonce } = hello();
    const signature = createHmac("sha256", key).update(`${seconds}\nlink\n${hub}\n${nonce}`);
    return hello(`t=${seconds},v1=${signature.digest("hex")}`);
  }

  test("welcomes a HELLO that one of them signed", async () => {
    const { at } = await start("--key", "new", "--key", "schlüssel");
    for (const key of ["new", "schlüssel"]) {
      const link = dial(at);
      link.send(signed(key));
      assert.equal((await link.next()).type, WELCOME);
    }
  });

  test("closes one that is signed otherwise, long ago, or not at all", async () => {
    const { service, at } = await start("--key", "new");
    const now = Math.floor(Date.now() / 1000);
    const otherHub = { ...signed("new"), hub: "other" };
    const otherNonce = { ...signed("new"), nonce: "other" };
    const stale = [signed("new", now - 310), signed("new", now + 310)];
    for (const sent of [hello(), hello("t=1,v1="), signed("old"), otherHub, otherNonce, ...stale]) {
      const link = dial(at);
      link.send(sent);
      assert.deepEqual(await link.rest(), []);
    }
    await service.says(/(?:not-signed: [^\n]+\n[\s\S]*?){7}/);
  });

  test("takes them out of a file, so that no list of processes shows them", async () => {
    const folder = makeTemporaryFolder({ keys: "--key\nsecret\n" });
    const { at } = await start(`@${join(folder, "keys")}`);
    const [good, bad] = [dial(at), dial(at)];
    good.send(signed("secret"));
    bad.send(signed("other"));
    assert.equal((await good.next()).type, WELCOME);
    assert.deepEqual(await bad.rest(), []);
  });
});

describe("service.py ends", { skip }, () => {
  test("with SIGTERM: GOODBYE, what is under way, and then the gateway closes", async () => {
    const { service, at } = await start();
    const [link, silent] = [await begin(at), dial(at)];
    link.send(open(1, "Ada"));
    service.process.kill("SIGTERM");
    assert.deepEqual(await link.next(), { type: SERVICE_GOODBYE });
    assert.deepEqual(await silent.rest(), []);
    assert.deepEqual(await dial(at).rest(), []);
    link.send(message(1, 1, "last"));
    assert.equal((await nextOf(link, 3)).at(-1)?.payload, "accepted 1");
    link.close();
    assert.equal(await service.exitCode(), 0);
  });

  test("at once when no gateway is there, and begins again on the same socket", async () => {
    const path = join(makeTemporaryFolder(), "link.sock");
    for (const [signal, code] of [
      ["SIGKILL", null],
      ["SIGTERM", 0],
    ] as const) {
      const service = new PythonService(["--listen", `link+unix://${path}`]);
      services.push(service);
      const link = await begin(await service.address());
      link.send({ type: frames.GATEWAY_GOODBYE });
      await service.says(/the gateway says goodbye/);
      link.close();
      await service.says(/a link was closed by the gateway/);
      service.process.kill(signal);
      assert.equal(await service.exitCode(), code);
    }
  });

  test("with a sentence where it cannot listen, or was told nonsense", async () => {
    const { at } = await start();
    const second = new PythonService(["--listen", `link://${at}`]);
    assert.equal(await second.exitCode(), 1);
    assert.match(second.output, /^cannot listen at link:\/\/127\.0\.0\.1:\d+: [^\n]+\n$/);
    for (const listen of ["7000", "link://host", "link://host:99999", "link+unix://name"]) {
      const service = new PythonService(["--listen", listen]);
      assert.equal(await service.exitCode(), 2);
      assert.match(service.output, /is neither link:\/\/host:port nor link\+unix:\/\/\/path\n$/);
    }
  });
});
