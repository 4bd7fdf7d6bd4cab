/**
 * What compression may cost and what it may never do: bombs, memory of idle connections, and bytes
 * of one client that would come to another. Over real sockets, with the addon's codec.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { deflateMessage, inflateMessage } from "../src/websocket/codec.test.helper.ts";
import { GatewayProcess } from "./support/gateway-process.ts";
import { startInProcess } from "./support/in-process-gateway.ts";
import { residentBytes, settledResidentBytes } from "./support/process-memory.ts";
import { clientFrame, RawClient } from "./support/raw-client.ts";
import { propertyRuns, seededRandom } from "./support/seed.ts";
import { until } from "./support/until.ts";

const TEXT = 1;
const BINARY = 2;
const RSV1 = 0x40;
const MIB = 1 << 20;
const OFFER = { "Sec-WebSocket-Extensions": "permessage-deflate" };
const ECHO = "paths: [/]\nservice: 'echo:'\ncompression: on";

const random = seededRandom();

/** The most that was resident since the last call. */
function peakBytes(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1]) * 1024;
}

function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** A gibibyte of zeros in 4 to 6 MB, without its tail: one flushed mebibyte again and again. */
function makeBomb(): Buffer {
  const options = { level: 1, finishFlush: constants.Z_FULL_FLUSH };
  const piece = deflateRawSync(Buffer.alloc(MIB), options);
  return Buffer.concat(Array(1024).fill(piece)).subarray(0, -4);
}

async function startProcess(limits: string): Promise<[GatewayProcess, number]> {
  const hub = `paths: [/]\n  service: "echo:"\n  compression: on\n  limits: ${limits}`;
  const gateway = await GatewayProcess.start(`main:\n  ${hub}`);
  const { workers } = await gateway.status();
  const [worker] = workers as [(typeof workers)[number]];
  return [gateway, worker.pid];
}

describe("a bomb of 6 MB that would become 1 GiB", () => {
  const bomb = makeBomb();
  const limit = 64 * MIB;
  /** What a process has beside the message: the heap's young generation, and the allocator's. */
  const slack = 2 * MIB;

  test("ends with 1009, and costs the limit and 64 KiB beside what was received", async () => {
    assert.ok(bomb.length > 4 * MIB && bomb.length < 7 * MIB, `${bomb.length} bytes`);
    const [gateway, pid] = await startProcess(`{ messageBytesMax: ${limit} }`);
    // An honest message first, so that what every message needs is there.
    const client = await RawClient.open(gateway.port, "/", OFFER);
    client.send(clientFrame(BINARY | RSV1, deflateMessage(Buffer.alloc(MIB))));
    await client.nextFrame();
    const start = await settledResidentBytes(pid);
    const frame = clientFrame(BINARY | RSV1, bomb);
    client.send(frame.subarray(0, -1));
    // An idle worker gives memory back meanwhile.
    const there = start + bomb.length - slack;
    await until(() => residentBytes(pid) >= there, "the bomb is there");
    const received = await settledResidentBytes(pid);
    assert.ok(received - start <= 2 * bomb.length + slack, `${received - start} bytes received`);
    forgetPeak(pid);
    client.send(frame.subarray(-1));
    assert.equal((await client.closeFrame()).code, 1009);
    const growth = peakBytes(pid) - received;
    const allowed = limit + 65_536 + slack;
    console.log(`bomb: ${growth >> 10} KiB of ${allowed >> 10} KiB`);
    assert.ok(growth <= allowed, `grew by ${growth} bytes, of ${allowed}`);
    client.destroy();
    await gateway.stop();
  });

  test("costs next to nothing where the limit is small, however often it comes", async () => {
    const [gateway, pid] = await startProcess("{ messageBytesMax: 131072 }");
    const small = deflateMessage(Buffer.alloc(100 * MIB));
    assert.ok(small.length < 131_072);
    const before = residentBytes(pid);
    forgetPeak(pid);
    for (let round = 0; round < 20; round += 1) {
      const client = await RawClient.open(gateway.port, "/", OFFER);
      client.send(clientFrame(BINARY | RSV1, small));
      assert.equal((await client.closeFrame()).code, 1009);
      client.destroy();
    }
    const growth = peakBytes(pid) - before;
    console.log(`20 bombs: ${growth >> 10} KiB`);
    assert.ok(growth <= 4 * slack, `grew by ${growth} bytes`);
    await gateway.stop();
  });
});

test("nobody waits for all the messages that one read of a client becomes", async () => {
  const { gateway, port, stop } = await startInProcess({ hub: ECHO });
  const client = await RawClient.open(port, "/", OFFER);
  const small = clientFrame(BINARY | RSV1, deflateMessage(Buffer.alloc(131_072)));
  const count = Math.floor((512 << 10) / small.length);
  assert.ok(count > 3000, `${count} messages`);
  client.send(Buffer.concat(Array(count).fill(small)));
  let received = 0;
  let most = 0;
  while (received < count) {
    await new Promise((resolve) => setImmediate(resolve));
    const { main } = gateway.counts().hubs;
    const now = main?.messagesReceivedTotal ?? 0;
    most = Math.max(most, now - received);
    received = now;
  }
  assert.ok(most < 1000, `${most} messages in one iteration of the event loop`);
  await client.until(() => client.frames.length === count, "all answers");
  client.destroy();
  await stop();
});

test("a connection that has used compression has no codec of its own", async () => {
  const [gateway, pid] = await startProcess("{}");
  const count = 1000;
  const message = Buffer.from("hello ".repeat(100));
  const talk = async (headers: Record<string, string>, frame: Buffer) => {
    const client = await RawClient.open(gateway.port, "/", headers);
    client.send(frame);
    await client.nextFrame();
    return client;
  };
  const plain = clientFrame(TEXT, message);
  const compressed = clientFrame(TEXT | RSV1, deflateMessage(message));
  const clients = [await talk({}, plain), await talk(OFFER, compressed)];
  for (let index = 0; index < count; index += 1) clients.push(await talk({}, plain));
  const before = await settledResidentBytes(pid);
  for (let index = 0; index < count; index += 1) clients.push(await talk(OFFER, compressed));
  const growth = (await settledResidentBytes(pid)) - before;
  console.log(`${count} connections: ${growth >> 10} KiB`);
  // A codec of zlib's is 45 KiB to inflate and up to 300 KiB to deflate.
  assert.ok(growth < 8 * MIB, `grew by ${growth} bytes`);
  for (const client of clients) client.destroy();
  await gateway.stop();
});

describe("no byte of one client comes to another", () => {
  /** Copies what stands `distance` bytes before, which only a codec with a memory could know. */
  function backReference(lead: string, distance: number): Buffer {
    const own = Buffer.from(lead);
    const dictionary = Buffer.alloc(32_768).map(() => Math.floor(random() * 256));
    const at = dictionary.length - distance;
    const wanted = Buffer.concat([own, dictionary.subarray(at, at + 100)]);
    const options = { dictionary, finishFlush: constants.Z_SYNC_FLUSH };
    return deflateRawSync(wanted, options).subarray(0, -4);
  }

  function textOf(client: RawClient): string {
    const parts = client.frames.map(({ opcode, payload, isCompressed }) =>
      isCompressed && opcode < 8 ? inflateMessage(payload) : payload,
    );
    return Buffer.concat(parts).toString("latin1");
  }

  test("whatever is asked of the codec in between, in either direction", async () => {
    const { port, stop } = await startInProcess({ hub: ECHO });
    const canaries = ["canary-of-the-first-tenant-", "canary-of-the-second-tenant-"];
    const [first, second] = canaries as [string, string];
    const victims = [
      await RawClient.open(port, "/", OFFER),
      await RawClient.open(port, "/", OFFER),
    ];
    const rounds = propertyRuns(60, 5000);
    for (let round = 0; round < rounds; round += 1) {
      const own = round & 1;
      const victim = victims[own] as RawClient;
      const length = Math.ceil(random() * (round % 5 === 0 ? 4000 : 100));
      const secret = `${(canaries[own] as string).repeat(length)}${round}`;
      const isCompressed = random() < 0.7;
      const payload = isCompressed ? deflateMessage(secret) : secret;
      victim.send(clientFrame(isCompressed ? TEXT | RSV1 : TEXT, payload));
      await victim.until(() => victim.frames.length === (round >> 1) + 1, "the echo");
      const other = canaries[1 - own] as string;
      const intruder = await RawClient.open(port, "/", OFFER);
      const lead = random() < 0.5 ? "" : `${other}${round}`.repeat(10);
      const distance = 100 + Math.floor(random() ** 2 * 32_000);
      // A message of its own, then what only another's memory could answer.
      intruder.send(clientFrame(TEXT | RSV1, deflateMessage(`${other}${round}`.repeat(40))));
      const kind = Math.floor(random() * 3);
      const attack = backReference(lead, distance);
      if (kind === 0) intruder.send(clientFrame(BINARY | RSV1, attack));
      else if (kind === 1) intruder.send(clientFrame(BINARY | RSV1, attack.subarray(0, -2)));
      else intruder.send(clientFrame(BINARY | RSV1, deflateMessage(secret).subarray(1)));
      const { code } = await intruder.closeFrame();
      assert.equal(code, 1007, `attack of kind ${kind} at ${distance}`);
      assert.ok(!textOf(intruder).includes(canaries[own] as string), "a canary flew over");
      intruder.destroy();
    }
    const [ofFirst, ofSecond] = victims.map(textOf) as [string, string];
    assert.ok(ofFirst.includes(first) && !ofFirst.includes(second));
    assert.ok(ofSecond.includes(second) && !ofSecond.includes(first));
    for (const victim of victims) victim.destroy();
    await stop();
  });
});
