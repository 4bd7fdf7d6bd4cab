/**
 * A service that is slow, fails, breaks off, is not there and comes back: the order of every
 * connection is kept, nothing is lost, and nothing comes twice under another id.
 */
import assert from "node:assert/strict";
import { before, beforeEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HttpService, type ServiceAnswer, type ServiceEvent } from "./support/http-service.ts";
import { ObservedClient } from "./support/observed-client.ts";

let service: HttpService;
let gateway: GatewayProcess;

before(async () => {
  service = await HttpService.start();
  const hub = (name: string, limits: string) =>
    `${name}: { paths: [/${name}], service: '${service.url}', limits: ${limits} }`;
  gateway = await GatewayProcess.start(
    [
      hub("patient", "{ holdTimeoutMs: 60000, serviceTimeoutMs: 60000 }"),
      hub("hasty", "{ holdTimeoutMs: 60000, serviceTimeoutMs: 300 }"),
      hub("brief", "{ holdTimeoutMs: 600 }"),
    ].join("\n"),
  );
});

beforeEach(() => {
  service.answer = () => undefined;
  service.events.length = 0;
});

interface Conversation {
  client: ObservedClient;
  connectionId: string;
}

async function open(hub: "patient" | "hasty" | "brief"): Promise<Conversation> {
  const known = new Set(service.of("connect").map(({ id }) => id));
  const client = await ObservedClient.open(`ws://127.0.0.1:${gateway.port}/${hub}`);
  const connect = await service.event(({ name, id }) => name === "connect" && !known.has(id));
  return { client, connectionId: connect.connectionId };
}

/** Answers messages with their own text, but the n-th attempt of `text` as `failures[n]` says. */
function failing(failures: Record<string, ServiceAnswer[]>) {
  return ({ name, text }: ServiceEvent): ServiceAnswer => {
    if (name !== "message") return undefined;
    const failure = failures[text]?.shift();
    return failure ?? { body: text, headers: { "content-type": "text/plain" } };
  };
}

function textsOf(connectionId: string): string[] {
  return service.messagesOf(connectionId).map(({ text }) => text);
}

/** One event is one id with one number and one body, however often it came. */
function assertOneBodyForEachId(): void {
  const seen = new Map<string, string>();
  const ids = new Map<string, string>();
  for (const { id, connectionId, messageNumber, text } of service.of("message")) {
    const content = `${connectionId} ${messageNumber} ${text}`;
    assert.equal(seen.get(id) ?? content, content, `${id} came with another body`);
    const place = `${connectionId} ${messageNumber}`;
    assert.equal(ids.get(place) ?? id, id, `${place} came with another id`);
    seen.set(id, content);
    ids.set(place, id);
  }
}

async function disconnectedOf(connectionId: string): Promise<object> {
  const event = await service.event(
    (each) => each.name === "disconnected" && each.connectionId === connectionId,
    "disconnected",
  );
  return JSON.parse(event.text);
}

describe("a slow service", () => {
  test("has one message of a connection at a time, in order", async () => {
    const { client, connectionId } = await open("patient");
    let under = 0;
    service.answer = async ({ text }) => {
      under += 1;
      assert.equal(under, 1, "one at a time");
      await delay(5);
      under -= 1;
      return { body: text, headers: { "content-type": "text/plain" } };
    };
    const texts = Array.from({ length: 20 }, (_, index) => `${index}`);
    for (const text of texts) client.send(text);
    assert.deepEqual(await client.received(20), texts);
    assert.deepEqual(textsOf(connectionId), texts);
    service.answer = () => undefined;
    await client.close();
  });

  test("that answers no more in time is asked again with the same id", async () => {
    const { client, connectionId } = await open("hasty");
    service.answer = failing({ a: ["never", "never"] });
    for (const text of ["a", "b"]) client.send(text);
    assert.deepEqual(await client.received(2), ["a", "b"]);
    assert.deepEqual(textsOf(connectionId), ["a", "a", "a", "b"]);
    assertOneBodyForEachId();
    await client.close();
  });

  test("holds up nobody but the connection whose message hangs", async () => {
    const stuck = await open("patient");
    const others = await Promise.all(Array.from({ length: 20 }, () => open("patient")));
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    service.answer = async ({ text }) => {
      if (text === "stuck") await released;
      return { body: text, headers: { "content-type": "text/plain" } };
    };
    stuck.client.send("stuck");
    stuck.client.send("behind");
    await service.event(({ text }) => text === "stuck");
    for (const { client } of others) for (const text of ["1", "2", "3"]) client.send(text);
    for (const { client } of others) assert.deepEqual(await client.received(3), ["1", "2", "3"]);
    assert.deepEqual(textsOf(stuck.connectionId), ["stuck"]);
    release();
    assert.deepEqual(await stuck.client.received(2), ["stuck", "behind"]);
    await Promise.all([stuck, ...others].map(({ client }) => client.close()));
  });
});

describe("a service that fails", () => {
  test("with 500 twice is tried a third time, and all goes on", async () => {
    const { client, connectionId } = await open("patient");
    service.answer = failing({ b: [{ status: 500 }, { status: 501 }] });
    for (const text of ["a", "b", "c"]) client.send(text);
    assert.deepEqual(await client.received(3), ["a", "b", "c"]);
    assert.deepEqual(textsOf(connectionId), ["a", "b", "b", "b", "c"]);
    assertOneBodyForEachId();
    await client.close();
  });

  test("with 500 three times costs the client its connection: 1011", async () => {
    const { client, connectionId } = await open("patient");
    service.answer = failing({ b: [{ status: 500 }, { status: 500 }, { status: 500 }] });
    for (const text of ["a", "b", "c"]) client.send(text);
    assert.deepEqual(await client.untilClosed(), {
      code: 1011,
      reason: "the service failed accepted=1",
    });
    assert.deepEqual(await disconnectedOf(connectionId), { reason: "service-error", code: 1011 });
    assert.deepEqual(textsOf(connectionId), ["a", "b", "b", "b"]);
    assertOneBodyForEachId();
  });

  for (const status of [400, 403, 404, 410, 422]) {
    test(`with ${status} is not asked twice: 1008`, async () => {
      const { client, connectionId } = await open("patient");
      service.answer = failing({ c: [{ status, body: "no" }] });
      for (const text of ["a", "b", "c", "d"]) client.send(text);
      assert.deepEqual(await client.untilClosed(), {
        code: 1008,
        reason: "the service refused a message accepted=2",
      });
      const last = { reason: "service-refused", code: 1008 };
      assert.deepEqual(await disconnectedOf(connectionId), last);
      assert.deepEqual(textsOf(connectionId), ["a", "b", "c"]);
      assert.deepEqual(client.messages, ["a", "b"]);
    });
  }

  for (const status of [408, 425, 429, 502, 503, 504]) {
    test(`with ${status} is tried again for longer than three times`, async () => {
      const { client, connectionId } = await open("patient");
      service.answer = failing({ a: Array.from({ length: 4 }, () => ({ status })) });
      for (const text of ["a", "b"]) client.send(text);
      assert.deepEqual(await client.received(2), ["a", "b"]);
      assert.deepEqual(textsOf(connectionId), ["a", "a", "a", "a", "a", "b"]);
      assertOneBodyForEachId();
      await client.close();
    });
  }

  test("and says Retry-After is left alone for that time", async () => {
    const { client, connectionId } = await open("patient");
    const times: number[] = [];
    const answer = failing({ a: [{ status: 429, headers: { "retry-after": "1" } }] });
    service.answer = (event) => {
      if (event.name === "message") times.push(performance.now());
      return answer(event);
    };
    client.send("a");
    await client.received(1);
    const [first, second] = times as [number, number];
    assert.ok(second - first >= 990, `it came again after ${second - first} ms`);
    assert.equal(service.messagesOf(connectionId).length, 2);
    await client.close();
  });

  test("within its answer is asked again, and the client sees one reply", async () => {
    const { client, connectionId } = await open("patient");
    service.answer = failing({ b: Array.from({ length: 5 }, () => "broken-off" as const) });
    for (const text of ["a", "b", "c"]) client.send(text);
    assert.deepEqual(await client.received(3), ["a", "b", "c"]);
    assert.deepEqual(textsOf(connectionId), ["a", "b", "b", "b", "b", "b", "b", "c"]);
    assertOneBodyForEachId();
    await client.close();
    assert.equal(client.messages.length, 3);
  });

  test("to take connected gets no message before it did", async () => {
    let failures = 4;
    service.answer = ({ name }) => {
      if (name !== "connected") return undefined;
      failures -= 1;
      return { status: failures < 0 ? 204 : 503 };
    };
    const { client, connectionId } = await open("patient");
    client.send("a");
    await service.until(() => textsOf(connectionId).length === 1, "the message");
    const events = service.events.filter((event) => event.connectionId === connectionId);
    const names = events.map(({ name }) => name);
    assert.deepEqual(names, ["connect", ...Array(5).fill("connected"), "message"]);
    const connected = events.filter(({ name }) => name === "connected");
    assert.equal(new Set(connected.map(({ id }) => id)).size, 1);
    await client.close();
  });
});

describe("a service that is not there", () => {
  test("gets all that came meanwhile, in order, when it is back", async () => {
    const conversations = await Promise.all(Array.from({ length: 10 }, () => open("patient")));
    service.answer = failing({});
    await service.stop();
    const texts = Array.from({ length: 10 }, (_, index) => `${index}`);
    for (const { client } of conversations) for (const text of texts) client.send(text);
    await gateway.record(({ msg }) => msg.includes("cannot be reached"));
    await service.listen();
    for (const { client, connectionId } of conversations) {
      assert.deepEqual(await client.received(10), texts);
      const messages = service.messagesOf(connectionId);
      const numbers = messages.map(({ messageNumber }) => messageNumber);
      assert.deepEqual(
        numbers,
        texts.map((_, index) => index + 1),
      );
      await client.close();
    }
    assertOneBodyForEachId();
  });

  test("for the whole hold time costs the client its connection: 1013", async () => {
    const { client, connectionId } = await open("brief");
    service.answer = failing({});
    for (const text of ["a", "b"]) client.send(text);
    await client.received(2);
    await service.stop();
    try {
      for (const text of ["c", "d", "e"]) client.send(text);
      assert.deepEqual(await client.untilClosed(), {
        code: 1013,
        reason: "the service is not there accepted=2",
      });
    } finally {
      await service.listen();
    }
    const next = await open("brief");
    next.client.send("again");
    await service.until(() => textsOf(next.connectionId).length === 1, "the next client's message");
    assert.deepEqual(textsOf(connectionId), ["a", "b"], "what was given up does not come later");
    await next.client.close();
  });

  test("still gets the messages of a client that left, and then its disconnected", async () => {
    const { client, connectionId } = await open("patient");
    await service.event(({ name }) => name === "connected");
    await service.stop();
    const texts = Array.from({ length: 30 }, (_, index) => `${index}`);
    for (const text of texts) client.send(text);
    await client.close(1000);
    await service.listen();
    const last = { reason: "client-closed", code: 1000 };
    assert.deepEqual(await disconnectedOf(connectionId), last);
    const came = service.events
      .filter((event) => event.connectionId === connectionId && !/^connect/.test(event.name))
      .map(({ name, text }) => (name === "message" ? text : name));
    assert.deepEqual(came, [...texts, "disconnected"]);
  });
});
