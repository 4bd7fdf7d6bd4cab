/** A gateway with `batch: on` between a real service and real clients, word for word. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { before, describe, test } from "node:test";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HttpService, type ServiceAnswer, type ServiceEvent } from "./support/http-service.ts";
import { ObservedClient } from "./support/observed-client.ts";
import { seededRandom } from "./support/seed.ts";
import { Waiters } from "./support/waiters.ts";

const BATCH_TYPE = "application/cloudevents-batch+json; charset=utf-8";

interface BatchEvent {
  id: string;
  eventname: string;
  connectionid: string;
  messagenumber?: number;
  datacontenttype: string;
  data?: unknown;
  data_base64?: string;
  [attribute: string]: unknown;
}

type Entry = Record<string, unknown>;

let service: HttpService;
let gateway: GatewayProcess;
let requests: { headers: ServiceEvent["headers"]; body: Buffer; events: BatchEvent[] }[] = [];
/** Those that came since `begin`; earlier ones may still be leaving. */
let connectionIds = new Set<string>();
let answerEvent: (event: BatchEvent) => Entry;
let answerBatch: (events: BatchEvent[]) => ServiceAnswer;
const arrivals = new Waiters();

before(async () => {
  service = await HttpService.start((request) => {
    if (request.name === "connect") {
      connectionIds.add(request.connectionId);
      return { body: { userId: 'ann ü "50%"', groups: ["lobby"] } };
    }
    const events = JSON.parse(request.text) as BatchEvent[];
    requests.push({ headers: request.headers, body: request.body, events });
    arrivals.notify();
    return answerBatch(events);
  });
  const hub = `service: ${service.url}, batch: on`;
  gateway = await GatewayProcess.start(
    [
      `chat: { paths: [/chat], ${hub}, signingKeys: [first-key, second-key] }`,
      `small: { paths: [/small], ${hub}, limits: { batchEventsMax: 3, batchesInflightMax: 1 } }`,
      `brief: { paths: [/brief], ${hub}, limits: { holdTimeoutMs: 400 } }`,
      `slow: { paths: [/slow], ${hub}, limits: { serviceTimeoutMs: 200, holdTimeoutMs: 5000 } }`,
    ].join("\n"),
    "name: gateway.example",
  );
});

function begin(answer: (event: BatchEvent) => Entry = echo): void {
  requests = [];
  connectionIds = new Set();
  answerEvent = answer;
  answerBatch = answerInOrder;
}

function echo({ id, eventname, datacontenttype, data, data_base64 }: BatchEvent): Entry {
  if (eventname !== "message") return { id, status: 204 };
  return { id, status: 200, datacontenttype, data, data_base64 };
}

/** Nothing of a connection is taken behind an event of it that failed. */
function answerInOrder(events: BatchEvent[]): ServiceAnswer {
  const failed = new Set<string>();
  const body = events.flatMap((event) => {
    if (failed.has(event.connectionid)) return [];
    const entry = answerEvent(event);
    if (Number(entry.status) >= 300) failed.add(event.connectionid);
    return [entry];
  });
  return { body };
}

function open(path = "/chat"): Promise<ObservedClient> {
  return ObservedClient.open(`ws://127.0.0.1:${gateway.port}${path}`);
}

function events(): BatchEvent[] {
  const all = requests.flatMap((request) => request.events);
  return all.filter(({ connectionid }) => connectionIds.has(connectionid));
}

function untilEvents(isThere: () => boolean, what: string): Promise<void> {
  return arrivals.until(isThere, () => `${what}; ${JSON.stringify(events().slice(-5))}`);
}

function untilName(name: string): Promise<void> {
  return untilEvents(() => events().some(({ eventname }) => eventname === name), name);
}

function connectionsSeen(): number {
  return new Set(events().map(({ connectionid }) => connectionid)).size;
}

function textsOf(connectionId: string): unknown[] {
  return events()
    .filter(({ connectionid, eventname }) => {
      return connectionid === connectionId && eventname === "message";
    })
    .map(({ data }) => data);
}

function hmac(key: string, ...parts: (string | Buffer)[]): string {
  const digest = createHmac("sha256", key);
  for (const part of parts) digest.update(part);
  return digest.digest("hex");
}

describe("the batches of one connection", () => {
  before(async () => {
    begin((event) => ({ ...echo(event), connectionstate: "room blue" }));
    const client = await open();
    client.send("héllo");
    client.send(Uint8Array.of(0, 255, 1));
    assert.deepEqual(await client.received(2), ["héllo", Buffer.of(0, 255, 1)]);
    client.send("again");
    await client.received(3);
    await client.close(1000);
    await untilName("disconnected");
  });

  test("hold its events in their order, each with an id of its own", () => {
    const names = events().map(({ eventname }) => eventname);
    assert.deepEqual(names, ["connected", "message", "message", "message", "disconnected"]);
    assert.equal(new Set(events().map(({ id }) => id)).size, 5);
  });

  test("have the attributes of the binary form, as JSON has them", () => {
    const [, text, binary] = events();
    assert.ok(text !== undefined && binary !== undefined);
    const { id, time, connectionid, connectionstate, ...rest } = text;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(typeof id, "string");
    assert.equal(connectionstate, undefined);
    const keys = ["first-key", "second-key"];
    assert.deepEqual(rest, {
      specversion: "1.0",
      type: "headgate.user.message",
      source: `/hubs/chat/client/${connectionid}`,
      hub: "chat",
      eventname: "message",
      userid: 'ann ü "50%"',
      signature: keys.map((key) => `sha256=${hmac(key, connectionid)}`).join(),
      messagenumber: 1,
      datacontenttype: "text/plain; charset=utf-8",
      data: "héllo",
    });
    assert.equal(binary.data_base64, "AP8B");
    assert.equal(binary.datacontenttype, "application/octet-stream");
    const last = events().slice(-2);
    assert.deepEqual(
      last.map(({ connectionstate: state }) => state),
      ["room blue", "room blue"],
    );
    assert.deepEqual(last[1]?.data, { reason: "client-closed", code: 1000 });
  });

  test("are signed as a whole, as an event without ce- headers would be", () => {
    for (const { headers, body } of requests) {
      assert.equal(headers["content-type"], BATCH_TYPE);
      assert.equal(headers["webhook-request-origin"], "gateway.example");
      const header = String(headers["headgate-signature"]);
      const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header) ?? [];
      assert.ok(Math.abs(Date.now() / 1000 - Number(seconds)) < 60);
      assert.equal(
        signature,
        hmac("first-key", [seconds, "", "", "", "", "", ""].join("\n"), body),
      );
    }
  });
});

test("texts and bytes of every kind come through unchanged, there and back", async () => {
  begin();
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const messages: (string | Buffer)[] = [
    ...['"\\"', "a\u0000b", "\u2028\u2029", "😀𐍈", "\ufeffbom", "\ufffd", '{"a":[1]}', "<&>"],
    ...[everyByte, Buffer.of(0xc3, 0x28), Buffer.of(0xed, 0xa0, 0x80), Buffer.of(0x22), everyByte],
    ...["\u0001\u001f\u007f", "é".repeat(60_000), Buffer.alloc(100_000, 0xfe)],
  ];
  const client = await open();
  for (const message of messages) client.send(message);
  assert.deepEqual(await client.received(messages.length), messages);
  await client.close();
});

test("no batch is larger than the hub's limits, and all messages come in order", async () => {
  begin();
  const clients = await Promise.all(Array.from({ length: 5 }, () => open("/small")));
  const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
  for (const text of texts) for (const client of clients) client.send(text);
  for (const client of clients) assert.deepEqual(await client.received(50), texts);
  assert.ok(requests.every((request) => request.events.length <= 3));
  assert.ok(requests.some((request) => request.events.length === 3));
  await Promise.all(clients.map((client) => client.close()));
});

test("a service without time for so many events gets fewer, and keeps its clients", async () => {
  begin();
  const clients = await Promise.all(Array.from({ length: 20 }, () => open("/slow")));
  await untilEvents(() => connectionsSeen() === 20, "all connected");
  // As one that takes events one after the other: it has time for five.
  answerBatch = (batch) => (batch.length <= 5 ? answerInOrder(batch) : "never");
  const texts = Array.from({ length: 20 }, (_, index) => `${index}`);
  for (const text of texts) for (const client of clients) client.send(text);
  for (const client of clients) assert.deepEqual(await client.received(20), texts);
  await gateway.record(({ level, msg }) => level === "warn" && msg.includes("fewer events"));
  answerBatch = answerInOrder;
  await Promise.all(clients.map((client) => client.close()));
});

test("an event that fails in the middle is sent again, with all that is behind it", async () => {
  const failures: Record<string, number[]> = { b: [503], d: [500, 429] };
  begin((event) => {
    const status = failures[String(event.data)]?.shift();
    return status === undefined ? echo(event) : { id: event.id, status };
  });
  const client = await open();
  await untilName("connected");
  for (const text of ["a", "b", "c", "d", "e"]) client.send(text);
  assert.deepEqual(await client.received(5), ["a", "b", "c", "d", "e"]);
  const connectionId = events()[0]?.connectionid ?? "";
  const ids = new Map(events().map(({ id, messagenumber }) => [messagenumber, id]));
  for (const { id, messagenumber } of events()) assert.equal(ids.get(messagenumber), id);
  const texts = textsOf(connectionId);
  const timesOf = (text: string) => texts.filter((one) => one === text).length;
  const counts = ["a", "b", "d"].map(timesOf);
  assert.equal(counts[0], 1, "what was taken is not sent again");
  assert.ok((counts[1] as number) >= 2 && (counts[2] as number) >= 3);
  await client.close();
});

const endings: [string, number, string, number][] = [
  ["400 for one event", 400, "the service refused a message accepted=2", 1008],
  ["500 for one event, again and again", 500, "the service failed accepted=2", 1011],
  ["503 for one event for the hold time", 503, "the service is not there accepted=2", 1013],
];

for (const [name, status, reason, code] of endings) {
  test(`${name} costs that client its connection, and no other's`, async () => {
    begin((event) => (event.data === "bad" ? { id: event.id, status } : echo(event)));
    const [client, other] = await Promise.all([open("/brief"), open("/brief")]);
    for (const text of ["a", "b", "bad", "d"]) client.send(text);
    for (const text of ["e", "f"]) other.send(text);
    assert.deepEqual(await client.untilClosed(), { code, reason });
    assert.deepEqual(client.messages, ["a", "b"]);
    assert.deepEqual(await other.received(2), ["e", "f"]);
    await other.close();
  });
}

for (const [status, code] of [
  [403, 1008],
  [500, 1011],
  [503, 1013],
] as const) {
  test(`${status} to whole batches ends all connections in them with ${code}`, async () => {
    begin();
    const clients = await Promise.all([open("/brief"), open("/brief")]);
    await untilEvents(() => events().length >= 2, "both connected");
    answerBatch = () => ({ status });
    for (const client of clients) for (const text of ["a", "b"]) client.send(text);
    for (const client of clients) assert.equal((await client.untilClosed()).code, code);
    answerBatch = answerInOrder;
    await untilName("disconnected");
  });
}

test("answers that make no sense are logged, and all of the batch comes again", async () => {
  const answers: ServiceAnswer[] = [
    { status: 204 },
    { body: { a: 1 } },
    { body: [] },
    { body: [{ id: "of-no-event", status: 204 }] },
    "broken-off",
  ];
  for (const answer of answers) {
    begin();
    const client = await open();
    await untilName("connected");
    let isSense = false;
    answerBatch = (batch) => {
      if (isSense || !batch.some(({ data }) => data === "a")) return answerInOrder(batch);
      isSense = true;
      return answer;
    };
    for (const text of ["a", "b", "c"]) client.send(text);
    assert.deepEqual(await client.received(3), ["a", "b", "c"]);
    answerBatch = answerInOrder;
    await client.close();
  }
  await gateway.record(({ level, msg }) => level === "error" && msg.includes("cannot be used"));
  await gateway.record(({ level, msg }) => level === "error" && msg.includes("lacks events"));
  await gateway.record(({ level, msg }) => level === "error" && msg.includes("none of its events"));
});

test("the messages of a client that left are delivered, and then its disconnected", async () => {
  begin();
  const client = await open();
  await untilName("connected");
  answerBatch = () => ({ status: 503 });
  const texts = Array.from({ length: 30 }, (_, index) => `${index}`);
  for (const text of texts) client.send(text);
  await untilName("message");
  await client.close(1000);
  answerBatch = answerInOrder;
  await untilName("disconnected");
  const taken = new Set(textsOf(events()[0]?.connectionid ?? ""));
  assert.deepEqual([...taken], texts);
  assert.equal(events().at(-1)?.eventname, "disconnected");
});

test("a service that fails at random, and is restarted, answers everybody in order", async () => {
  const random = seededRandom();
  const taken = new Map<string, Set<unknown>>();
  begin((event) => {
    if (random() < 0.02) return { id: event.id, status: 503 };
    if (event.eventname === "message") {
      const texts = taken.get(event.connectionid) ?? new Set();
      taken.set(event.connectionid, texts.add(event.data));
    }
    return echo(event);
  });
  answerBatch = (batch) => {
    const chance = random();
    if (chance < 0.05) return { status: 503 };
    return chance < 0.1 ? "broken-off" : answerInOrder(batch);
  };
  const clients = await Promise.all(Array.from({ length: 20 }, () => open()));
  const texts = Array.from({ length: 100 }, (_, index) => `${index}`);
  for (const [index, text] of texts.entries()) {
    for (const client of clients) client.send(text);
    if (index === 50) {
      await service.stop();
      await service.listen();
    }
  }
  for (const client of clients) assert.deepEqual(await client.received(100, 30_000), texts);
  assert.equal(taken.size, 20);
  for (const one of taken.values()) assert.deepEqual([...one], texts);
  begin();
  await Promise.all(clients.map((client) => client.close()));
  assert.equal(await gateway.stop(), 0);
  await service.stop();
});
