/**
 * `headgate bench` as its users run it, against a real gateway in each mode, and against servers
 * that are worse than any gateway.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { GatewayProcess } from "./support/gateway-process.ts";
import { runNode } from "./support/run-node.ts";

const MAIN = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));

interface Report {
  isInterrupted: boolean;
  connections: { opened: number; failed: number; lost: number };
  messages: number;
  receivedBytes: number;
  latencyMs: { count: number; p50Ms: number; maxMs: number };
  pushes: { made: number; late: number; span: { count: number } } | null;
  server: { cpuUsPerMessage: number } | null;
  generator: { processes: number };
  errors: Record<string, number>;
}

async function bench(
  url: string,
  ...args: string[]
): Promise<{ code: number | null; report: Report }> {
  const run = await runNode([MAIN, "bench", url, "--json", "--duration", "0.3", ...args]);
  assert.notEqual(run.stdout, "", run.stderr);
  return { code: run.code, report: JSON.parse(run.stdout) as Report };
}

describe("against a gateway", () => {
  let gateway: GatewayProcess;
  let url: string;
  before(async () => {
    gateway = await GatewayProcess.start("echo: { paths: [/], service: 'echo:' }");
    url = `ws://127.0.0.1:${gateway.port}/`;
  });
  after(() => gateway.stop());

  test("echo: every message comes back, from two processes, pipelined", async () => {
    const [worker] = (await gateway.status()).workers;
    const { code, report } = await bench(
      ...([url, "--connections", "20", "--pipeline", "4", "--processes", "2"] as const),
      ...["--warmup", "0", "--server-pid", String(worker?.pid)],
    );
    assert.deepEqual(report.errors, {});
    assert.equal(code, 0);
    assert.equal(report.connections.opened, 20);
    assert.equal(report.generator.processes, 2);
    assert.ok(report.messages >= 80);
    assert.equal(report.latencyMs.count, report.messages);
    assert.equal(report.receivedBytes, report.messages * 127);
    assert.ok(report.server !== null);
  });

  test("echo of large text, over sockets that do not take it at once", async () => {
    const { code, report } = await bench(
      ...([url, "--connections", "4", "--pipeline", "3", "--payload", "100000"] as const),
      ...["--text", "--warmup", "0"],
    );
    assert.deepEqual(report.errors, {});
    assert.equal(code, 0);
    assert.ok(report.messages >= 12);
  });

  test("echo at a rate: as many messages as were due", async () => {
    const { code, report } = await bench(
      ...([url, "--connections", "10", "--rate", "500", "--warmup", "0"] as const),
    );
    assert.deepEqual(report.errors, {});
    assert.equal(code, 0);
    assert.ok(Math.abs(report.messages - 150) <= 1, `${report.messages}`);
  });

  test("hold: connections stay open, and are closed in the end", async () => {
    const { code, report } = await bench(url, "--mode", "hold", "--connections", "50");
    assert.deepEqual(report.errors, {});
    assert.equal(code, 0);
    assert.equal(report.connections.opened, 50);
    await gateway.statusUntil(({ connections }) => connections === 0);
  });

  test("fanout: every push by REST reaches every connection of two processes", async () => {
    const admin = `http://127.0.0.1:${gateway.adminPort}`;
    const { code, report } = await bench(
      ...([url, "--mode", "fanout", "--connections", "20", "--processes", "2"] as const),
      ...["--hub", "echo", "--admin", admin],
    );
    assert.deepEqual(report.errors, {});
    assert.equal(code, 0);
    assert.ok(report.pushes !== null && report.pushes.made > 0);
    assert.equal(report.messages, report.pushes.made * 20);
    assert.equal(report.pushes.span.count, report.pushes.made);
  });

  test("fanout to a hub that is not there fails with what the gateway said", async () => {
    const args = ["--hub", "nope", "--admin", `http://127.0.0.1:${gateway.adminPort}`];
    const run = await runNode([MAIN, "bench", url, "--mode", "fanout", ...args]);
    assert.match(run.stderr, /HG_ADMIN_REFUSED: .*no such hub/);
    assert.equal(run.code, 1);
  });

  test("connect: handshakes follow each other, and nothing is left", async () => {
    const { code, report } = await bench(url, "--mode", "connect", "--concurrency", "10");
    assert.deepEqual(report.errors, {});
    assert.equal(code, 0);
    assert.ok(report.connections.opened >= 10);
    assert.equal(report.latencyMs.count, report.connections.opened);
    await gateway.statusUntil(({ connections }) => connections === 0);
  });

  test("Ctrl-C ends it with what was seen so far", async (t) => {
    const child = spawn(process.execPath, [MAIN, "bench", url, "--json", "--duration", "600"]);
    t.after(() => child.kill("SIGKILL"));
    const stdout = text(child.stdout);
    await untilMeasuring(child);
    child.kill("SIGINT");
    const report = JSON.parse(await stdout) as Report;
    assert.ok(report.isInterrupted);
    assert.equal(report.connections.opened, 100);
    assert.deepEqual(report.errors, {});
  });
});

async function untilMeasuring({ stderr }: ChildProcess): Promise<void> {
  let seen = "";
  stderr?.on("data", (bytes: Buffer) => {
    seen += bytes.toString();
    if (/measuring: .* messages/.test(seen)) stderr.emit("measuring");
  });
  if (stderr !== null) await once(stderr, "measuring");
}

async function listen(t: TestContext): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  await once(server, "listening");
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

test("a service that spreads what one connection sends is measured without REST", async (t) => {
  const { server, url } = await listen(t);
  server.on("connection", (socket) => {
    socket.on("message", (message, binary) => {
      for (const client of server.clients) client.send(message, { binary });
    });
  });
  const { code, report } = await bench(url, "--mode", "fanout", "--connections", "10", "--text");
  assert.deepEqual(report.errors, {});
  assert.equal(code, 0);
  assert.equal(report.messages, (report.pushes?.made ?? 0) * 10);
});

test("wrong answers and closes are counted by kind, and fail", async (t) => {
  const { server, url } = await listen(t);
  let count = 0;
  server.on("connection", (socket) => {
    const number = count;
    count += 1;
    socket.on("message", (message, binary) => {
      if (number === 0) socket.close(1008);
      else socket.send(number === 1 ? "something else" : message, { binary });
    });
  });
  const { code, report } = await bench(url, "--connections", "4", "--warmup", "0");
  assert.deepEqual(report.errors, { "closed 1008": 1, "wrong answer": 1 });
  assert.equal(report.connections.lost, 2);
  assert.equal(code, 1);
});

test("where nobody listens every connection is refused, and it ends at once", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const { code, report } = await bench(`ws://127.0.0.1:${port}/`, "--connections", "5");
  assert.deepEqual(report.errors, { refused: 5 });
  assert.equal(code, 1);
});

test("a server that never answers ends it by the timeout", async (t) => {
  const { url } = await listen(t);
  const { code, report } = await bench(
    ...([url, "--connections", "3", "--warmup", "0", "--timeout", "0.5"] as const),
  );
  assert.deepEqual(report.errors, { timeout: 3 });
  assert.equal(report.messages, 0);
  assert.equal(code, 1);
});
