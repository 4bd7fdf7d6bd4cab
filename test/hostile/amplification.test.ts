/**
 * What a message or a request head costs a worker before it is complete, in resident memory and
 * not by the worker's own word: at most twice what came over the wire, and 512 bytes. The short
 * run has few sockets, so that what V8 takes for all of them together weighs more there.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayProcess } from "../support/gateway-process.ts";
import { settledResidentBytes } from "../support/process-memory.ts";
import { clientFrame, RawClient, upgradeHead } from "../support/raw-client.ts";
import { runSize } from "../support/seed.ts";
import { Crowd } from "./crowd.ts";

const LONG_SOCKETS = 10_000;
const sockets = runSize(1000, LONG_SOCKETS);
/** Bytes for each unfinished message besides twice its own. */
const UNFINISHED_BYTES = 512;
/** Both halves of V8's young generation grow once, and it is not large beside 10,000 sockets. */
const SHARED_BYTES = sockets < LONG_SOCKETS ? 4 << 20 : 0;
/**
 * Of the fourth round over the second; the first only fills what V8 then keeps. Nine rounds of
 * 10,000 were within 3 MiB of each other, and one that leaked would add 5 MiB each time.
 */
const LEAK_BYTES = 4 << 20;

const NOISE_BYTES = 64 << 10;
/** Within 2.5 s an idle worker has collected its garbage. */
const COLLECTING_LOOKS = 25;

const HUB = "echo: { paths: [/], service: 'echo:', limits: { messageBytesMax: 67108864 } }";
const LIMITS =
  "limits: { handshakesPendingMax: 20000, handshakeTimeoutMs: 120000, connectTimeoutMs: 1000, " +
  "fragmentedMessageTimeoutMs: 120000, pingIntervalMs: 0, idleTimeoutMs: 0 }";

/** The header of a message of 64 MiB, and so many bytes of it. */
function giant(payloadBytes: number): Buffer {
  const header = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4]);
  return Buffer.concat([header, Buffer.alloc(payloadBytes)]);
}

function fragments(count: number, bytes: number): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    clientFrame(index === 0 ? 2 : 0, Buffer.alloc(bytes), false),
  );
}

function singly(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

function halfHead(bytes: number): Buffer {
  const head = upgradeHead("/", { "X-Long": "a".repeat(bytes) });
  return Buffer.from(head).subarray(0, bytes);
}

type Case = [name: string, writes: Buffer[], isHead?: boolean];

const shortCases: Case[] = [
  ["tiny fragments", fragments(12, 4)],
  ["a giant of which 100 bytes come", [giant(100)]],
  ["a half header in single bytes", singly(giant(0).subarray(0, 13))],
  ["half heads of 100 bytes", [halfHead(100)], true],
];
const longCases: Case[] = [
  ...[0, 1, 10, 1000].map((bytes): Case => [`a giant of which ${bytes} come`, [giant(bytes)]]),
  ["fragments of 1 byte", fragments(40, 1)],
  ["many tiny fragments at once", [Buffer.concat(fragments(250, 3))]],
  ["a frame in single bytes", singly(clientFrame(2, Buffer.alloc(100)).subarray(0, 46))],
  ["a ping in single bytes", singly(clientFrame(9, Buffer.alloc(100)).subarray(0, 46))],
  ["half heads of 10 bytes", [halfHead(10)], true],
  ["half heads of 1,000 bytes", [halfHead(1000)], true],
  ["half heads in single bytes", singly(halfHead(60)), true],
];
const cases = sockets < LONG_SOCKETS ? shortCases : [...shortCases, ...longCases];

/**
 * The growth when all has arrived, which an answer to one who wrote last tells, and the worker has
 * had time to give back what it only needed on the way, as it did before.
 */
async function growthOf(gateway: GatewayProcess, crowd: Crowd, writes: Buffer[]): Promise<number> {
  const pid = await workerOf(gateway);
  const witness = await RawClient.open(gateway.port);
  const idleBytes = await settledResidentBytes(pid);
  for (const write of writes) {
    await crowd.send(() => write);
    witness.sendFrame(2, "has all of it arrived?");
    await witness.nextFrame();
  }
  const growth = (await settledResidentBytes(pid, NOISE_BYTES, COLLECTING_LOOKS)) - idleBytes;
  witness.destroy();
  return growth;
}

async function workerOf(gateway: GatewayProcess): Promise<number> {
  const { workers } = await gateway.status();
  assert(workers[0] !== undefined);
  return workers[0].pid;
}

for (const [name, writes, isHead = false] of cases) {
  test(`${name} cost twice the bytes and ${UNFINISHED_BYTES} at the most`, async (t) => {
    const gateway = await GatewayProcess.start(HUB, LIMITS);
    const crowd = new Crowd(gateway.port);
    await crowd.grow(sockets, isHead ? undefined : "/");
    const growth = await growthOf(gateway, crowd, writes);
    await crowd.leave();
    const wireBytes = writes.reduce((sum, { length }) => sum + length, 0);
    const bytesMax = sockets * (2 * wireBytes + UNFINISHED_BYTES) + SHARED_BYTES;
    t.diagnostic(`${wireBytes} bytes on the wire, ${(growth / sockets).toFixed(0)} in memory`);
    assert(growth <= bytesMax, `${growth} bytes for ${sockets}, at most ${bytesMax}`);
    assert.equal(await gateway.stop(), 0);
  });
}

test("the memory of unfinished messages is used again when their clients have left", async (t) => {
  const gateway = await GatewayProcess.start(HUB, LIMITS);
  const pid = await workerOf(gateway);
  const idleBytes: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const crowd = new Crowd(gateway.port);
    await crowd.grow(sockets, "/");
    await growthOf(gateway, crowd, [...fragments(3, 100), giant(0).subarray(0, 5)]);
    await crowd.leave();
    await gateway.statusUntil(({ connections }) => connections === 0);
    idleBytes.push(await settledResidentBytes(pid));
  }
  const [, second = 0, , fourth = 0] = idleBytes;
  t.diagnostic(`resident when idle: ${idleBytes.join(", ")} bytes`);
  const more = fourth - second;
  assert(more <= LEAK_BYTES, `${more} bytes more after the fourth round`);
  assert.equal(await gateway.stop(), 0);
});
