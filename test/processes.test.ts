/** Supervisor and workers as real processes: what one worker's end means to everybody else. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { GatewayProcess } from "./support/gateway-process.ts";
import { RawClient, upgradeHead } from "./support/raw-client.ts";

const ECHO = "main:\n  paths: [/]\n  service: 'echo:'";
const TEXT = 1;

async function openMany(gateway: GatewayProcess, count: number): Promise<RawClient[]> {
  const opening = Array.from({ length: count }, () => RawClient.open(gateway.port));
  return Promise.all(opening);
}

/** One message there and back. */
async function roundTrip(client: RawClient, text: string): Promise<void> {
  client.sendFrame(TEXT, text);
  assert.equal((await client.nextFrame()).payload.toString(), text);
}

describe("a worker that is killed under load", () => {
  test("takes its own clients with it, and the others notice nothing", async () => {
    const gateway = await GatewayProcess.start(ECHO, "workers: 2");
    const clients = await openMany(gateway, 200);
    const before = await gateway.statusUntil(({ connections }) => connections === 200);
    const [victim, other] = before.workers;
    assert.ok(victim !== undefined && other !== undefined);
    assert.ok(victim.connections > 0 && other.connections > 0, "both workers have clients");
    let isOver = false;
    const loads = clients.map(async (client) => {
      let count = 0;
      while (!isOver && !client.closed) {
        client.sendFrame(TEXT, `${count}`);
        const until = () => client.frames.length > 0 || client.closed || client.ended;
        await client.until(until, "an answer");
        const frame = client.frames.shift();
        if (frame === undefined) return;
        assert.equal(frame.payload.toString(), `${count}`, "answers come whole and in order");
        count += 1;
      }
    });
    process.kill(victim.pid, "SIGKILL");
    const lost = await gateway.record(
      (record) => record.level === "error" && "connectionsLost" in record,
    );
    assert.equal(lost.connectionsLost, victim.connections);
    await gateway.record(({ msg }) => /worker \d is ready/.test(msg));
    const after = await gateway.statusUntil(({ workers }) =>
      workers.every(({ state, pid }) => state === "ready" && pid !== victim.pid),
    );
    isOver = true;
    await Promise.all(loads);
    const left = clients.filter((client) => !client.closed && !client.ended);
    assert.equal(left.length, other.connections);
    assert.equal(after.workers.find(({ pid }) => pid === other.pid)?.restarts, 0);
    for (const client of clients) client.destroy();
    assert.equal(await gateway.stop(), 0);
  });

  test("resets no client that was waiting to be accepted", async () => {
    const gateway = await GatewayProcess.start(ECHO, "workers: 2");
    const { workers } = await gateway.status();
    const victim = workers[0] as (typeof workers)[number];
    // Stopped, it accepts nobody: clients wait in its listening socket's queue.
    process.kill(victim.pid, "SIGSTOP");
    const clients = await Promise.all(
      Array.from({ length: 60 }, () => RawClient.connect(gateway.port)),
    );
    for (const client of clients) client.send(upgradeHead("/"));
    await gateway.statusUntil(({ connections }) => connections > 0);
    const waiting = clients.filter(({ head }) => head === undefined);
    assert.ok(waiting.length > 0, "some clients wait for the stopped worker");
    process.kill(victim.pid, "SIGKILL");
    for (const client of clients) {
      await client.until(() => client.head !== undefined || client.closed, "an answer");
      assert.equal(client.error, undefined);
      assert.equal(client.status, 101);
      await roundTrip(client, "still here");
      client.destroy();
    }
    await gateway.stop();
  });

  test("is left out for new clients until it is back", async () => {
    const gateway = await GatewayProcess.start(ECHO, "workers: 2");
    const { workers } = await gateway.status();
    const victim = workers[0] as (typeof workers)[number];
    process.kill(victim.pid, "SIGKILL");
    await gateway.record((record) => "connectionsLost" in record);
    const clients = await openMany(gateway, 50);
    for (const client of clients) {
      await roundTrip(client, "served");
      client.destroy();
    }
    await gateway.stop();
  });
});

describe("a push that arrives at the supervisor", () => {
  test("reaches connections of every worker, and is counted exactly", async () => {
    const gateway = await GatewayProcess.start(ECHO, "workers: 2");
    const clients = await openMany(gateway, 100);
    const { workers } = await gateway.statusUntil(({ connections }) => connections === 100);
    assert.ok(workers.every(({ connections }) => connections > 0));
    const answer = await gateway.api("POST", "/api/hubs/main/:send", "to all");
    assert.equal(answer.status, 202);
    assert.equal(answer.headers.get("headgate-matched"), "100");
    assert.equal(answer.headers.get("headgate-dropped"), "0");
    for (const client of clients) {
      assert.equal((await client.nextFrame()).payload.toString(), "to all");
      client.destroy();
    }
    await gateway.stop();
  });
});

describe("SIGTERM", () => {
  test("fails /readyz, closes clients with 1012 and exits with 0", async () => {
    const gateway = await GatewayProcess.start(ECHO, "workers: 2");
    const clients = await openMany(gateway, 20);
    // One that answers no close frame keeps the gateway for closeTimeoutMs, and no longer.
    const [stubborn] = clients as [RawClient];
    assert.equal((await gateway.api("GET", "/readyz")).status, 200);
    gateway.child.kill("SIGTERM");
    for (const client of clients) {
      assert.deepEqual(await client.closeFrame(), {
        code: 1012,
        reason: "the gateway restarts accepted=0",
      });
    }
    assert.equal((await gateway.api("GET", "/readyz")).status, 503);
    for (const client of clients) if (client !== stubborn) client.socket.end();
    await gateway.record(({ msg }) => msg === "stopped", 10_000);
    assert.equal(await gateway.stop(), 0);
  });

  test("lets clients of `ws` and undici see 1012", async () => {
    const gateway = await GatewayProcess.start(ECHO);
    const { WebSocket: UndiciWebSocket } = await import("undici");
    const codes: Promise<number>[] = [];
    const undici = new UndiciWebSocket(`ws://127.0.0.1:${gateway.port}/`);
    codes.push(new Promise((done) => undici.addEventListener("close", (e) => done(e.code))));
    await new Promise((done) => undici.addEventListener("open", done));
    const ws = new WebSocket(`ws://127.0.0.1:${gateway.port}/`);
    codes.push(new Promise((done) => ws.on("close", done)));
    await new Promise((done) => ws.on("open", done));
    const replies = [
      new Promise((done) => ws.on("message", (bytes) => done(bytes.toString()))),
      new Promise((done) => undici.addEventListener("message", (e) => done(e.data))),
    ];
    ws.send("from ws");
    undici.send("from undici");
    assert.deepEqual(await Promise.all(replies), ["from ws", "from undici"]);
    assert.equal(await gateway.stop(), 0);
    assert.deepEqual(await Promise.all(codes), [1012, 1012]);
  });
});

test("an exception in a turn ends the worker with its stack, and does not leave it deaf", () => {
  const script = fileURLToPath(new URL("support/throwing-worker.js", import.meta.url));
  const { status, signal, stderr } = spawnSync(process.execPath, [script], {
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.notEqual(status, 0);
  assert.equal(signal, null, "it ended by itself");
  assert.match(stderr, /Error: a bug in a turn/);
  assert.match(stderr, /reception\.js/, "the stack says where");
});

test("clients see 1012 when the supervisor dies with whoever read its stderr", async () => {
  const gateway = await GatewayProcess.start(ECHO, "workers: 2");
  const clients = await openMany(gateway, 20);
  // As when a terminal is closed: the workers have something to say, and nobody to say it to.
  gateway.child.stderr?.destroy();
  gateway.child.kill("SIGKILL");
  for (const client of clients) {
    assert.equal((await client.closeFrame()).code, 1012);
    client.destroy();
  }
});
