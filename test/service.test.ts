/** A gateway between a real service and real clients: what each of them sees, word for word. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { before, describe, test } from "node:test";
import { WebSocket as UndiciWebSocket } from "undici";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HttpService, type ServiceEvent } from "./support/http-service.ts";
import { ObservedClient } from "./support/observed-client.ts";
import { RawClient, upgradeHead } from "./support/raw-client.ts";

const KEYS = ["first-key", "second-key"] as const;
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let service: HttpService;
let gateway: GatewayProcess;

before(async () => {
  service = await HttpService.start();
  gateway = await GatewayProcess.start(
    `chat:\n  paths: ['/chat/:room']\n  service: ${service.url}\n  signingKeys: [${KEYS.join()}]`,
    "name: gateway.example\nlimits: { connectTimeoutMs: 400 }",
  );
});

function url(pathAndQuery = "/chat/blue"): string {
  return `ws://127.0.0.1:${gateway.port}${pathAndQuery}`;
}

/** Headers that are the event's and not HTTP's own. */
function attributesOf({ headers }: ServiceEvent): Record<string, unknown> {
  const ownNames = /^(ce-|webhook-|headgate-|trace|content-type)/;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => ownNames.test(name)));
}

function hmac(key: string, ...parts: (string | Buffer)[]): string {
  const digest = createHmac("sha256", key);
  for (const part of parts) digest.update(part);
  return digest.digest("hex");
}

/** Both signatures as a service would check them, from the wire values alone. */
function checkSignatures(event: ServiceEvent): void {
  const wire = (name: string) => String(event.headers[name] ?? "");
  const id = wire("ce-connectionid");
  const bothKeys = KEYS.map((key) => `sha256=${hmac(key, id)}`).join(",");
  assert.equal(wire("ce-signature"), bothKeys);
  const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
    wire("headgate-signature"),
  ) as RegExpExecArray;
  assert.ok(Math.abs(Date.now() / 1000 - Number(seconds)) < 60, "signed a moment ago");
  const signed = ["ce-id", "ce-type", "ce-source", "ce-userid", "ce-connectionstate"];
  const head = [seconds, ...signed.map(wire), ""].join("\n");
  assert.equal(signature, hmac(KEYS[0], head, event.body));
}

/** What all events of one connection have alike. */
function commonAttributes(event: ServiceEvent): Record<string, unknown> {
  const { headers, connectionId } = event;
  assert.match(connectionId, /^[A-Za-z0-9_-]{11}\.[A-Za-z0-9_-]+$/);
  assert.match(event.id, /^[\x21-\x7e]+$/);
  const time = String(headers["ce-time"]);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, "it happened a moment ago");
  checkSignatures(event);
  return {
    "webhook-request-origin": "gateway.example",
    "ce-specversion": "1.0",
    "ce-source": `/hubs/chat/client/${connectionId}`,
    "ce-id": event.id,
    "ce-time": time,
    "ce-hub": "chat",
    "ce-connectionid": connectionId,
    "ce-signature": headers["ce-signature"],
    "headgate-signature": headers["headgate-signature"],
  };
}

/** The events of the client that came last; those of earlier ones may still arrive. */
function eventsOfNewest(): ServiceEvent[] {
  const connectionId = service.of("connect").at(-1)?.connectionId;
  return service.events.filter((event) => event.connectionId === connectionId);
}

function namesOfNewest(): string[] {
  return eventsOfNewest().map(({ name }) => name);
}

async function eventOfNewest(wanted: string): Promise<ServiceEvent> {
  await service.until(() => namesOfNewest().includes(wanted), wanted);
  return eventsOfNewest().find(({ name }) => name === wanted) as ServiceEvent;
}

/** Lets the next client in, and opens it. */
async function open(answer: object = {}, options = {}): Promise<ObservedClient> {
  service.answer = ({ name }) => (name === "connect" ? answer : undefined);
  return ObservedClient.open(url(), options);
}

describe("the events of one connection", () => {
  let events: ServiceEvent[];
  const facts = {
    "ce-userid": "ann%20%C3%BC%20%2250%25%22",
    "ce-subprotocol": "v2",
    "ce-connectionstate": "room%20blue",
  };

  before(async () => {
    service.answer = ({ name }) => {
      if (name !== "connect") return undefined;
      const body = { userId: 'ann ü "50%"', groups: ["lobby"], roles: [], subprotocol: "v2" };
      return { body, headers: { "ce-connectionstate": "room%20blue" } };
    };
    const client = await ObservedClient.open(url("/chat/dark%20blue?name=ann&x=1&x=2"), {
      subprotocols: ["v1", "v2"],
      headers: { Traceparent: TRACE, Tracestate: "a=1", "X-Two": "words here" },
    });
    assert.equal(client.socket.protocol, "v2");
    client.send("héllo");
    client.send(Uint8Array.of(0, 255, 1));
    await client.close(1000);
    await eventOfNewest("disconnected");
    events = eventsOfNewest();
  });

  test("come in their order by POST, each with an id of its own", () => {
    const names = ["connect", "connected", "message", "message", "disconnected"];
    assert.deepEqual(namesOfNewest(), names);
    assert.equal(new Set(events.map(({ id }) => id)).size, 5);
    assert.ok(events.every((event) => event.method === "POST" && event.url === "/events"));
  });

  test("begin with connect, which holds the client's request", () => {
    const connect = events[0] as ServiceEvent;
    assert.deepEqual(attributesOf(connect), {
      ...commonAttributes(connect),
      "content-type": "application/json",
      "ce-type": "headgate.sys.connect",
      "ce-eventname": "connect",
      traceparent: TRACE,
      tracestate: "a=1",
    });
    const request = JSON.parse(connect.text) as Record<string, Record<string, unknown>>;
    assert.deepEqual(request.headers?.["x-two"], ["words here"]);
    assert.deepEqual(request, {
      claims: {},
      query: { name: ["ann"], x: ["1", "2"] },
      headers: request.headers,
      subprotocols: ["v1", "v2"],
      clientCertificates: [],
      path: "/chat/dark%20blue",
      params: { room: "dark blue" },
      address: "127.0.0.1",
    });
  });

  test("go on with connected, now that it is known who this is", () => {
    const connected = events[1] as ServiceEvent;
    assert.deepEqual(attributesOf(connected), {
      ...commonAttributes(connected),
      ...facts,
      "content-type": "application/json",
      "ce-type": "headgate.sys.connected",
      "ce-eventname": "connected",
    });
    assert.equal(connected.text, "{}");
  });

  test("have each message with its number, its kind and its bytes", () => {
    const kinds = ["text/plain; charset=utf-8", "application/octet-stream"];
    const bodies = [Buffer.from("héllo"), Buffer.from([0, 255, 1])];
    for (const [index, message] of events.slice(2, 4).entries()) {
      assert.deepEqual(attributesOf(message), {
        ...commonAttributes(message),
        ...facts,
        "content-type": kinds[index],
        "ce-type": "headgate.user.message",
        "ce-eventname": "message",
        "ce-messagenumber": String(index + 1),
      });
      assert.deepEqual(message.body, bodies[index]);
    }
  });

  test("end with disconnected, which says why", () => {
    const disconnected = events[4] as ServiceEvent;
    assert.deepEqual(attributesOf(disconnected), {
      ...commonAttributes(disconnected),
      ...facts,
      "content-type": "application/json",
      "ce-type": "headgate.sys.disconnected",
      "ce-eventname": "disconnected",
    });
    assert.deepEqual(JSON.parse(disconnected.text), { reason: "client-closed", code: 1000 });
  });

  test("carry payloads of every size untouched, there and back", async () => {
    const client = await open({ body: { userId: "bytes" } });
    service.answer = ({ body }) => ({ body });
    const sizes = [1, 125, 126, 127, 65_535, 65_536, 131_072];
    for (const size of sizes) {
      const payload = Buffer.from(Uint8Array.from({ length: size }, (_, index) => index * 7));
      client.messages.length = 0;
      client.send(payload);
      const [reply] = await client.received(1);
      assert.ok(Buffer.isBuffer(reply) && payload.equals(reply), `${size} bytes`);
    }
    await client.close();
  });

  test("end with a disconnected that says how a client went that said nothing", async () => {
    const client = await open();
    client.socket.terminate();
    const event = await eventOfNewest("disconnected");
    assert.equal(JSON.parse(event.text).code, 1006);
    assert.deepEqual(namesOfNewest(), ["connect", "connected", "disconnected"]);
  });
});

describe("an answer to a message", () => {
  const kinds: [string, string | undefined, "text" | "binary"][] = [
    ["text/plain", "text/plain; charset=utf-8", "text"],
    ["JSON", "application/json", "text"],
    ["octets", "application/octet-stream", "binary"],
    ["no type", undefined, "binary"],
  ];
  for (const [what, type, kind] of kinds) {
    test(`of ${what} is one ${kind} frame`, async () => {
      const client = await open();
      const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
      service.answer = ({ text }) => ({ headers, body: Buffer.from(`"${text}"`) });
      client.send("a");
      client.send("b");
      const frames = await client.received(2);
      const expected = ['"a"', '"b"'];
      assert.deepEqual(frames, kind === "text" ? expected : expected.map((e) => Buffer.from(e)));
      await client.close();
    });
  }

  test("without a body sends nothing, whether it is a 204 or a 200", async () => {
    const client = await open();
    service.answer = ({ text }) => {
      if (text === "last") return { body: "the only frame", headers: { "content-type": "text/x" } };
      return { status: text === "200" ? 200 : 204 };
    };
    for (const text of ["200", "204", "last"]) client.send(text);
    assert.deepEqual(await client.received(1), ["the only frame"]);
    await client.close();
    assert.equal(client.messages.length, 1);
  });

  test("sets the connection's state, which comes back until it is emptied", async () => {
    const client = await open({ headers: { "ce-connectionstate": "zero" } });
    service.answer = ({ name, text }) => {
      if (name !== "message") return undefined;
      if (text === "keep") return { body: "done" };
      return { body: "done", headers: { "ce-connectionstate": text === "empty" ? "" : text } };
    };
    const texts = ["one%2Ftwo", "keep", "empty", "keep"];
    // Two at a time: the second of them waits behind the first, the third for nobody.
    for (const text of texts.slice(0, 2)) client.send(text);
    await client.received(2);
    for (const text of texts.slice(2)) client.send(text);
    await client.received(4);
    await client.close();
    const last = await eventOfNewest("disconnected");
    const messages = eventsOfNewest().filter(({ name }) => name === "message");
    const states = messages.map(({ connectionState }) => connectionState);
    assert.deepEqual(states, ["zero", "one/two", "one/two", ""]);
    assert.equal(last.headers["ce-connectionstate"], undefined);
  });
});

describe("the answer to a connect event", () => {
  test("lets an anonymous client in by 204, by 200 without a body and by {}", async () => {
    for (const answer of [{ status: 204 }, { status: 200 }, { body: {} }]) {
      const client = await open(answer);
      const event = await eventOfNewest("connected");
      assert.equal(event.headers["ce-userid"], undefined);
      await client.close();
    }
  });

  test("chooses the subprotocol that undici's WebSocket sees", async () => {
    service.answer = ({ name }) => (name === "connect" ? { body: { subprotocol: "b" } } : {});
    const socket = new UndiciWebSocket(url(), ["a", "b"]);
    await once(socket, "open");
    assert.equal(socket.protocol, "b");
    service.answer = ({ text }) => ({ body: text, headers: { "content-type": "text/plain" } });
    const reply = once(socket, "message") as Promise<unknown[]>;
    socket.send("from undici");
    const [event] = (await reply) as [{ data: unknown }];
    assert.equal(event.data, "from undici");
    const closed = once(socket, "close") as Promise<unknown[]>;
    socket.close(1000);
    const [{ code }] = (await closed) as [{ code: number }];
    assert.equal(code, 1000);
  });

  test("is 401 or another 4xx: the client's handshake has that status, type and body", async () => {
    for (const status of [400, 401, 403, 404, 429, 451]) {
      const body = `{"why":"${status}"}`;
      service.answer = () => ({ status, body, headers: { "content-type": "application/json" } });
      const refused = await ObservedClient.refused(url());
      assert.equal(refused.status, status);
      assert.equal(refused.headers["content-type"], "application/json");
      assert.equal(refused.body, body);
      assert.deepEqual(namesOfNewest(), ["connect"]);
    }
  });

  test("is 503 to the client where the service fails or says what cannot be used", async () => {
    const wrong = [
      { status: 500 },
      { status: 302, headers: { location: "/elsewhere" } },
      { body: "not json" },
      { body: { userId: 7 } },
      { body: { groups: "lobby" } },
      { body: { subprotocol: "never-offered" } },
      { headers: { "ce-connectionstate": "x".repeat(5000) } },
      "broken-off",
    ] as const;
    for (const answer of wrong) {
      service.answer = () => answer;
      const { status, body } = await ObservedClient.refused(url());
      assert.equal(status, 503, JSON.stringify(answer));
      assert.equal(body, "The service behind this gateway is not available.\n");
    }
  });

  test("is 503 when it comes too late, and the client is not let in afterwards", async () => {
    service.answer = () => "never";
    const { status } = await ObservedClient.refused(url());
    assert.equal(status, 503);
    assert.deepEqual(namesOfNewest(), ["connect"]);
  });

  test("is followed by disconnected when the client did not wait for it", async () => {
    let letIn = () => {};
    service.answer = ({ name, text }) => {
      if (name !== "connect" || text.includes("/chat/next")) return undefined;
      return new Promise((resolve) => {
        letIn = () => resolve({ body: { userId: "too-late" } });
      });
    };
    const client = await RawClient.connect(gateway.port);
    client.send(upgradeHead("/chat/left"));
    const connect = await service.event(({ text }) => text.includes("/chat/left"));
    client.socket.resetAndDestroy();
    // Who comes after the reset is let in after the gateway has seen the reset.
    await (await ObservedClient.open(url("/chat/next"))).close();
    letIn();
    const event = await service.event(({ userId }) => userId === "too-late");
    assert.equal(event.name, "disconnected");
    assert.equal(event.connectionId, connect.connectionId);
    assert.equal(JSON.parse(event.text).code, 1006);
  });
});
