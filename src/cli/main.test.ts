import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { GatewayProcess } from "../../test/support/gateway-process.ts";
import { runAndListPackages, runNode } from "../../test/support/run-node.ts";

const main = fileURLToPath(new URL("./main.js", import.meta.url));

test("help lists the commands there are, and loads nothing but the parser", async () => {
  const { code, stdout, packages } = await runAndListPackages([main, "--help"]);
  assert.equal(code, 0);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
  assert.deepEqual(commands, ["start", "check", "init", "send", "status", "bench", "help"]);
  assert.deepEqual(packages, ["commander"]);
});

test("a wrong command line ends the process with 2", async () => {
  const { code, stderr } = await runNode([main, "drain"]);
  assert.equal(stderr, "HG_USAGE: unknown command 'drain'; see headgate --help.\n");
  assert.equal(code, 2);
});

test("what cannot be written to stdout ends the process with 1, and no stack", () => {
  const full = openSync("/dev/full", "w");
  const { status, stderr } = spawnSync(process.execPath, [main, "check", "--schema"], {
    stdio: ["ignore", full, "pipe"],
    encoding: "utf8",
    timeout: 30_000,
  });
  closeSync(full);
  assert.match(stderr, /^HG_OUTPUT_FAILED: cannot write to stdout \(ENOSPC\); .*\n$/);
  assert.equal(status, 1);
});

interface Echo {
  gateway: GatewayProcess;
  client: WebSocket;
}

async function startEcho(t: TestContext): Promise<Echo> {
  const hubs = "echo: { paths: [/], service: 'echo:' }";
  const gateway = await GatewayProcess.start(hubs, "", { detached: true });
  const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/`);
  t.after(() => client.terminate());
  await once(client, "open");
  return { gateway, client };
}

test("SIGTERM closes the clients with 1012 and ends the process with 0", async (t) => {
  const { gateway, client } = await startEcho(t);
  const ended = once(gateway.child, "close");
  gateway.child.kill("SIGTERM");
  const [closeCode] = await once(client, "close");
  assert.equal(closeCode, 1012);
  assert.deepEqual(await ended, [0, null]);
});

test("Ctrl-C, which reaches the workers as well, closes the clients with 1012", async (t) => {
  const { gateway, client } = await startEcho(t);
  const ended = once(gateway.child, "close");
  assert(gateway.child.pid !== undefined);
  process.kill(-gateway.child.pid, "SIGINT");
  const [closeCode] = await once(client, "close");
  assert.equal(closeCode, 1012);
  assert.deepEqual(await ended, [0, null]);
});

test("a second signal does not wait for a client that does not answer its close", async (t) => {
  const { gateway, client } = await startEcho(t);
  // Nothing is read any more: neither the close frame, nor is it answered.
  client.pause();
  const ended = once(gateway.child, "close");
  const timer = setInterval(() => gateway.child.kill("SIGINT"), 50);
  t.after(() => clearInterval(timer));
  await gateway.record(({ msg }) => msg.startsWith("ending at once"));
  assert.deepEqual(await ended, [0, null]);
});

test("workers whose supervisor is killed close their clients with 1012 and end", async (t) => {
  const { gateway, client } = await startEcho(t);
  // Its stderr is the workers' as well, so it ends with the last of them.
  const ended = once(gateway.child, "close");
  gateway.child.kill("SIGKILL");
  const [closeCode] = await once(client, "close");
  assert.equal(closeCode, 1012);
  await ended;
});

test("a worker that gets SIGTERM closes its clients with 1012 and is replaced", async (t) => {
  const { gateway, client } = await startEcho(t);
  const closed = once(client, "close");
  const { workers } = await gateway.statusUntil(({ connections }) => connections === 1);
  process.kill(workers[0]?.pid as number, "SIGTERM");
  assert.equal((await closed)[0], 1012);
  const ended = await gateway.record(({ msg }) => msg.startsWith("worker 1 ended"));
  assert.deepEqual([ended.connectionsLost, ended.code], [0, 0]);
});

test("a port in use ends the start with 1 and says which", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => void server.close());
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, stderr } = await runNode([
    main,
    "start",
    "--service",
    "echo:",
    "--listen",
    address,
  ]);
  assert.match(stderr, new RegExp(`^HG_LISTEN_FAILED: Cannot listen on ${address}: another proc`));
  assert.equal(code, 1);
});
