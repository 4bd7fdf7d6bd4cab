/** Many messages and a service that does not keep up, or dies again and again under them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HttpService } from "./support/http-service.ts";
import { ObservedClient } from "./support/observed-client.ts";
import { clientFrame, RawClient } from "./support/raw-client.ts";
import { Waiters } from "./support/waiters.ts";

const BINARY = 2;
const MIB = 1024 * 1024;
const TEXT_TYPE = { "content-type": "text/plain" };

function residentBytes(pid: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(
    readFileSync(`/proc/${pid}/status`, "utf8"),
  ) as RegExpExecArray;
  return Number(kibibytes) * 1024;
}

/** Bytes that the kernel took off a socket's hands. */
function takenBytes({ socket }: RawClient): number {
  return socket.bytesWritten - socket.writableLength;
}

/** Until the kernel has taken nothing for a second, while there is more. */
async function untilBackedUp(clients: RawClient[]): Promise<void> {
  const QUIET_POLLS = 20;
  const total = () => clients.reduce((sum, client) => sum + takenBytes(client), 0);
  for (let last = total(), quiet = 0; quiet < QUIET_POLLS; ) {
    await delay(50);
    quiet = total() === last ? quiet + 1 : 0;
    last = total();
  }
  for (const { socket } of clients) assert.ok(socket.writableLength > 0, "all was taken");
}

describe("clients that flood a service which hangs", () => {
  const CLIENTS = 4;
  const MESSAGES = 512;
  const MESSAGE_BYTES = 64 * 1024;

  /** Until the flood is there, whole: for each client, every message in its place. */
  async function checkFlood(service: HttpService): Promise<void> {
    const flood = () => service.of("message").filter(({ body }) => body.length === MESSAGE_BYTES);
    const eventsWanted = service.events.length - flood().length + CLIENTS * MESSAGES;
    await service.until(() => service.events.length >= eventsWanted, "the flood", 60_000);
    const numbers = new Map<string, number>();
    for (const { connectionId, body, messageNumber } of flood()) {
      const next = numbers.get(connectionId) ?? 0;
      assert.equal(body.readUInt32BE(0), next, "in order, none missing and none twice");
      assert.equal(messageNumber, next + 1);
      numbers.set(connectionId, next + 1);
    }
    assert.deepEqual([...numbers.values()], Array(CLIENTS).fill(MESSAGES));
  }

  function flood(clients: RawClient[]): void {
    const payload = Buffer.alloc(MESSAGE_BYTES);
    for (let number = 0; number < MESSAGES; number += 1) {
      payload.writeUInt32BE(number);
      const frame = clientFrame(BINARY, payload);
      for (const client of clients) client.send(frame);
    }
  }

  test("are not read any more, and all they sent arrives when it works again", async () => {
    const service = await HttpService.start();
    const gateway = await GatewayProcess.start(
      `main: { paths: [/], service: '${service.url}', limits: { serviceTimeoutMs: 60000 } }`,
    );
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    service.answer = async ({ name, body }) => {
      if (name !== "message") return undefined;
      if (body.length !== MESSAGE_BYTES) return { body, headers: TEXT_TYPE };
      await released;
      return undefined;
    };
    const bystander = await ObservedClient.open(`ws://127.0.0.1:${gateway.port}/`);
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => RawClient.open(gateway.port)),
    );
    const [worker] = (await gateway.status()).workers;
    const before = residentBytes(worker?.pid as number);
    flood(clients);
    await untilBackedUp(clients);
    const grown = residentBytes(worker?.pid as number) - before;
    const sent = CLIENTS * MESSAGES * MESSAGE_BYTES;
    assert.ok(grown < 32 * MIB, `${grown} bytes more in memory, of ${sent}`);
    bystander.send("served meanwhile");
    assert.deepEqual(await bystander.received(1), ["served meanwhile"]);
    release();
    await checkFlood(service);
    for (const client of clients) client.destroy();
    assert.equal(await gateway.stop(), 0);
    await service.stop();
  });
});

/** Keeps a few messages under way, and checks that each is answered, in order, once. */
class Talker {
  sent = 0;
  answered = 0;
  isOver = false;
  readonly client: ObservedClient;
  readonly #name: number;

  constructor(client: ObservedClient, name: number, answered: () => void) {
    this.client = client;
    this.#name = name;
    client.socket.on("message", (bytes: Buffer) => {
      assert.equal(bytes.toString(), this.#text(this.answered), "answers come in order, once");
      this.answered += 1;
      if (!this.isOver) this.say();
      answered();
    });
  }

  say(): void {
    this.client.send(this.#text(this.sent));
    this.sent += 1;
  }

  #text(index: number): string {
    return `${this.#name}:${index}`;
  }
}

/** What the service saw: each message of each client, in order, redelivered only at its place. */
function checkHistory(service: HttpService, talkers: Talker[]): { redelivered: number } {
  const byId = new Map<string, string>();
  const lastOf = new Map<string, number>();
  const sentBy = new Map<string, string>();
  let redelivered = 0;
  for (const { connectionId, id, messageNumber, text } of service.of("message")) {
    const content = `${connectionId} ${messageNumber} ${text}`;
    const [name, index] = text.split(":");
    assert.equal(sentBy.get(connectionId) ?? name, name, "a connection is one client's");
    sentBy.set(connectionId, name as string);
    assert.equal(Number(index), messageNumber - 1, "numbers count what the client sent");
    const last = lastOf.get(connectionId) ?? 0;
    if (byId.has(id)) {
      redelivered += 1;
      assert.equal(byId.get(id), content, "an id has one body");
      assert.equal(messageNumber, last, "only the last one comes again");
    } else {
      byId.set(id, content);
      assert.equal(messageNumber, last + 1, "the next one comes next");
    }
    lastOf.set(connectionId, messageNumber);
  }
  const sent = talkers.reduce((sum, talker) => sum + talker.sent, 0);
  assert.equal(byId.size, sent, "nothing is missing, and nothing came with two ids");
  assert.equal(lastOf.size, talkers.length);
  return { redelivered };
}

describe("a service that is restarted ten times under the load of 50 clients", () => {
  const CLIENTS = 50;
  const UNDER_WAY = 4;
  const RESTARTS = 10;
  const ANSWERS_BETWEEN = 300;

  test("acknowledges every message of each of them, in order and with one id", async () => {
    const service = await HttpService.start();
    const gateway = await GatewayProcess.start(
      `main: { paths: [/], service: '${service.url}' }`,
      "workers: 2",
    );
    // It dies between having a message and answering it, as services do.
    service.answer = async ({ name, text }) => {
      if (name !== "message") return undefined;
      await delay(2);
      return { body: text, headers: TEXT_TYPE };
    };
    const progress = new Waiters();
    const talkers = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, name) => {
        const client = await ObservedClient.open(`ws://127.0.0.1:${gateway.port}/`);
        return new Talker(client, name, () => progress.notify());
      }),
    );
    const answered = () => talkers.reduce((sum, talker) => sum + talker.answered, 0);
    const outages = () =>
      gateway.records.filter(({ msg }) => msg.includes("cannot be reached")).length;
    for (const talker of talkers) for (let n = 0; n < UNDER_WAY; n += 1) talker.say();
    for (let round = 0; round < RESTARTS; round += 1) {
      const wanted = answered() + ANSWERS_BETWEEN;
      await progress.until(
        () => answered() >= wanted,
        () => `${wanted} answers; there are ${answered()}`,
      );
      const before = outages();
      await service.stop();
      // Every other time it is back before anybody knows.
      if (round % 2 === 0) await gateway.until(() => outages() > before, "an outage");
      await service.listen();
    }
    for (const talker of talkers) talker.isOver = true;
    for (const talker of talkers) await talker.client.received(talker.sent);
    const { redelivered } = checkHistory(service, talkers);
    assert.ok(redelivered >= RESTARTS, `${redelivered} messages were under way at a restart`);
    await Promise.all(talkers.map(({ client }) => client.close()));
    await service.until(() => service.of("disconnected").length >= CLIENTS, "all to have left");
    assert.equal(await gateway.stop(), 0);
    await service.stop();
  });
});
