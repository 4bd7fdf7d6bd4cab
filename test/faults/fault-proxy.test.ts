import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { seededRandom } from "../support/seed.ts";
import { until } from "../support/until.ts";
import { CLEAN, FaultProxy } from "./fault-proxy.ts";

let target: Server;
let proxy: FaultProxy;
/** What came to the target, as it was read. */
let reads: string[];

before(async () => {
  target = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      reads.push(bytes.toString());
      socket.write(bytes);
    });
  });
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
});
after(() => target.close());

beforeEach(async () => {
  reads = [];
  proxy = await FaultProxy.start((target.address() as AddressInfo).port, seededRandom());
});
afterEach(() => proxy.stop());

interface Client {
  socket: Socket;
  text: string;
  error: string | undefined;
  isClosed: boolean;
}

async function open(): Promise<Client> {
  const socket = connect(proxy.port, "127.0.0.1");
  const client: Client = { socket, text: "", error: undefined, isClosed: false };
  socket.on("data", (bytes) => {
    client.text += bytes.toString();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    client.error = error.code;
  });
  socket.on("close", () => {
    client.isClosed = true;
  });
  await once(socket, "connect");
  return client;
}

test("what goes through is untouched, and an end is passed on", async () => {
  const client = await open();
  client.socket.write("hello");
  await until(() => client.text === "hello");
  assert.deepEqual([proxy.connections, proxy.accepted, proxy.peak], [1, 1, 1]);
  client.socket.end();
  await until(() => client.isClosed && proxy.connections === 0);
});

test("latency and jitter come before each read, there and back", async () => {
  proxy.spoiling = { ...CLEAN, latencyMs: 20, jitterMs: 5 };
  const client = await open();
  const startMs = performance.now();
  client.socket.write("late");
  await until(() => client.text === "late");
  assert.ok(performance.now() - startMs >= 39, "two ways of 20 ms, less the clock's grain");
});

test("a bandwidth is kept", async () => {
  proxy.spoiling = { ...CLEAN, bytesPerSecond: 10_000 };
  const client = await open();
  const startMs = performance.now();
  client.socket.write("x".repeat(500));
  await until(() => client.text.length === 500);
  assert.ok(performance.now() - startMs >= 99, "two ways of 50 ms, less the clock's grain");
});

test("single bytes come as several reads, in order", async () => {
  proxy.spoiling = { ...CLEAN, pieceBytes: 1 };
  const client = await open();
  const text = Array.from({ length: 300 }, (_, index) => `${index} `).join("");
  client.socket.write(text);
  await until(() => client.text === text);
  assert.ok(reads.length > 1, `${reads.length} reads`);
});

test("frozen, it accepts and forwards nothing, and all of it when it is mended", async () => {
  const early = await open();
  early.socket.write("a");
  await until(() => early.text === "a");
  proxy.freeze();
  const late = await open();
  early.socket.write("b");
  late.socket.write("c");
  await until(() => proxy.connections === 2);
  assert.deepEqual([early.text, late.text], ["a", ""]);
  await proxy.mend();
  await until(() => early.text === "ab" && late.text === "c");
  early.socket.destroy();
  late.socket.destroy();
});

test("cut, it ends everybody and refuses others until it is mended on the same port", async () => {
  const client = await open();
  await proxy.cut();
  await until(() => client.isClosed);
  await assert.rejects(open(), { code: "ECONNREFUSED" });
  const { port } = proxy;
  await proxy.mend();
  assert.equal(proxy.port, port);
  const next = await open();
  next.socket.write("again");
  await until(() => next.text === "again");
  next.socket.destroy();
});

test("a reset is a reset, and the next connection is welcome", async () => {
  const client = await open();
  client.socket.write("a");
  await until(() => client.text === "a");
  proxy.reset();
  await until(() => client.isClosed);
  assert.equal(client.error, "ECONNRESET");
  const next = await open();
  next.socket.write("b");
  await until(() => next.text === "b");
  next.socket.destroy();
});
