import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";

const main = fileURLToPath(new URL("./main.js", import.meta.url));

async function run(args: string[], nodeOptions: string[] = []) {
  const child = spawn(process.execPath, [...nodeOptions, main, ...args], { cwd: tmpdir() });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

interface Context {
  after(end: () => void): void;
}

function makeFolder(t: Context, files: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "headgate-cli-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

test("help lists the commands there are, and loads nothing but the parser", async (t) => {
  // A module hook that names every package from which something is imported.
  const hooks = `export async function resolve(name, context, next) {
    const result = await next(name, context);
    const [, file] = /node_modules\\/(.*)$/.exec(result.url) ?? [];
    if (file !== undefined) process._rawDebug("loads " + file.split("/")[0]);
    return result;
  }`;
  const folder = makeFolder(t, {
    "hooks.mjs": hooks,
    "register.mjs":
      'import { register } from "node:module"; register("./hooks.mjs", import.meta.url);',
  });
  const nodeOptions = ["--import", join(folder, "register.mjs")];
  const { code, stdout, stderr } = await run(["--help"], nodeOptions);
  assert.equal(code, 0);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
  assert.deepEqual(commands, ["start", "check", "init", "send", "status", "help"]);
  const loaded = new Set([...stderr.matchAll(/^loads (.*)$/gm)].map(([, name]) => name));
  assert.deepEqual([...loaded], ["commander"]);
});

test("a wrong command line ends the process with 2", async () => {
  const { code, stderr } = await run(["drain"]);
  assert.equal(stderr, "HG_USAGE: unknown command 'drain'; see headgate --help.\n");
  assert.equal(code, 2);
});

type LogRecord = Record<string, unknown>;

/** A gateway's process, and what it logged. */
class GatewayProcess {
  readonly child: ChildProcess;
  readonly #records: LogRecord[] = [];
  readonly #lines: Interface;

  constructor(t: Context, args: string[]) {
    this.child = spawn(process.execPath, [main, "start", ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      // A process group of its own, as a terminal gives to a command.
      detached: true,
    });
    assert(this.child.stderr !== null);
    this.#lines = createInterface(this.child.stderr);
    this.#lines.on("line", (line) => {
      // A worker's last words are no record.
      if (line.startsWith("{")) this.#records.push(JSON.parse(line) as LogRecord);
    });
    t.after(() => void this.child.kill("SIGKILL"));
  }

  async find(pattern: RegExp): Promise<LogRecord> {
    for (;;) {
      const found = this.#records.find(({ msg }) => pattern.test(String(msg)));
      if (found !== undefined) return found;
      await once(this.#lines, "line");
    }
  }
}

interface Echo {
  gateway: GatewayProcess;
  client: WebSocket;
  admin: string;
}

async function startEcho(t: Context): Promise<Echo> {
  const yaml = `listen: [{ address: "127.0.0.1:0" }]
hubs: { echo: { paths: [/], service: "echo:" } }
admin: { address: "127.0.0.1:0" }`;
  const folder = makeFolder(t, { "gateway.yaml": yaml });
  const gateway = new GatewayProcess(t, [
    "--config",
    join(folder, "gateway.yaml"),
    "--log-level",
    "debug",
  ]);
  const { clients, admin } = await gateway.find(/^ready: /);
  const client = new WebSocket(String((clients as string[])[0]));
  t.after(() => client.terminate());
  await once(client, "open");
  return { gateway, client, admin: String(admin) };
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
  await gateway.find(/^ending at once/);
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
  const { gateway, client, admin } = await startEcho(t);
  const closed = once(client, "close");
  const connections = async (): Promise<unknown> => {
    const response = await fetch(`${admin}/status`);
    return ((await response.json()) as { connections: number }).connections;
  };
  while ((await connections()) !== 1) await new Promise((resolve) => setTimeout(resolve, 20));
  const { pid } = await gateway.find(/^worker 1 is ready/);
  process.kill(Number(pid), "SIGTERM");
  assert.equal((await closed)[0], 1012);
  const { connectionsLost, code } = await gateway.find(/^worker 1 ended/);
  assert.deepEqual([connectionsLost, code], [0, 0]);
});

test("a port in use ends the start with 1 and says which", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => void server.close());
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, stderr } = await run(["start", "--service", "echo:", "--listen", address]);
  assert.match(stderr, new RegExp(`^HG_LISTEN_FAILED: Cannot listen on ${address}: another proc`));
  assert.equal(code, 1);
});
