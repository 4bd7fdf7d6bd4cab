/**
 * What stands between the clients and the gateway: nothing, or nginx or haproxy with the
 * configuration that docs/operations.md advises, taken from there, on free ports. They run as
 * whoever runs the tests, out of a temporary folder, and are stopped by their process id.
 */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeTemporaryFolder } from "../support/temporary-folder.ts";
import { findCommand, lacks } from "./debian.ts";

/** Where the gateway takes clients, and where its admin listener is. */
interface Behind {
  port: number;
  adminPort: number;
}

export interface Front {
  readonly name: string;
  /** Why it cannot be had here. */
  readonly missing: string | false;
  /** Whether a client that is closed while it sends can read why; a reset may overtake that. */
  readonly lingers: boolean;
  /** The configuration that is advised. */
  configuration(): string;
  /** With that configuration, or a variant of it; the port on which it takes clients. */
  start(behind: Behind, configuration?: string): Promise<number>;
}

const DOCUMENT = fileURLToPath(new URL("../../../docs/operations.md", import.meta.url));
const START_TIMEOUT_MS = 10_000;
/** A free port can be taken by somebody else before the proxy has it. */
const ATTEMPTS = 3;

const running = new Set<ChildProcess>();
after(async () => {
  // Not SIGKILL: nginx then leaves its workers behind.
  const ends = Array.from(running, (child) => once(child, "exit"));
  for (const child of running) child.kill("SIGTERM");
  await Promise.all(ends);
});

const directly: Front = {
  name: "directly",
  missing: false,
  lingers: true,
  configuration: () => "",
  start: async ({ port }) => port,
};

export const nginx: Front = {
  name: "behind nginx",
  missing: lacks("nginx", [["nginx", "nginx-light"]]),
  lingers: true,
  configuration: () => documented("nginx"),
  start: (behind, configuration = documented("nginx")) =>
    start((port) => {
      const server = adapt(configuration, [
        ["listen 80;", `listen 127.0.0.1:${port};`],
        ["127.0.0.1:8000", `127.0.0.1:${behind.port}`],
      ]);
      const folder = makeTemporaryFolder({ "nginx.conf": aroundServer(server) });
      const file = join(folder, "nginx.conf");
      const parameters = ["-p", folder, "-e", "stderr", "-c", file, "-g", "daemon off;"];
      return spawn(findCommand("nginx") as string, parameters, PIPED);
    }),
};

const haproxy: Front = {
  name: "behind haproxy",
  missing: lacks("haproxy", [["haproxy", "haproxy"]]),
  lingers: false,
  configuration: () => documented("haproxy"),
  start: (behind, configuration = documented("haproxy")) =>
    start((port) => {
      const whole = adapt(configuration, [
        ["bind :80", `bind 127.0.0.1:${port}`],
        ["127.0.0.1:8000", `127.0.0.1:${behind.port}`],
        ["check port 8001", `check port ${behind.adminPort}`],
      ]);
      const folder = makeTemporaryFolder({ "haproxy.cfg": whole });
      const parameters = ["-f", join(folder, "haproxy.cfg"), "-db"];
      return spawn(findCommand("haproxy") as string, parameters, PIPED);
    }),
};

export const fronts: readonly Front[] = [directly, nginx, haproxy];
export const proxies: readonly Front[] = [nginx, haproxy];

const PIPED: SpawnOptions = { stdio: ["ignore", "ignore", "pipe"] };

/** Replaces words of which each must be there, once or more. */
export function adapt(configuration: string, replacements: [string, string][]): string {
  return replacements.reduce((adapted, [words, others]) => {
    assert.ok(adapted.includes(words), `the configuration has no "${words}"`);
    return adapted.replaceAll(words, others);
  }, configuration);
}

/** The block of the document that is written in this language. */
function documented(language: string): string {
  const pattern = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "ms");
  const [, block] = pattern.exec(readFileSync(DOCUMENT, "utf8")) ?? [];
  assert.ok(block !== undefined, `${DOCUMENT} has no ${language} block`);
  return block;
}

/** What Debian's nginx.conf has around a server, as far as it is needed, for any user. */
function aroundServer(server: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return [
    "worker_processes 1;",
    "pid nginx.pid;",
    "error_log stderr;",
    "events { worker_connections 512; }",
    "http {",
    "access_log off;",
    ...kinds.map((kind) => `${kind}_temp_path ${kind};`),
    server,
    "}",
    "",
  ].join("\n");
}

async function start(run: (port: number) => ChildProcess): Promise<number> {
  let stderr = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = await freePort();
    const child = run(port);
    running.add(child);
    child.once("exit", () => running.delete(child));
    child.stderr?.on("data", (chunk) => {
      stderr = (stderr + String(chunk)).slice(-5000);
    });
    if (await listens(child, port)) return port;
  }
  throw new Error(`the proxy does not start:\n${stderr}`);
}

/** False when the process ended instead. */
async function listens(child: ChildProcess, port: number): Promise<boolean> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (child.exitCode === null && child.signalCode === null) {
    if (await accepts(port)) return true;
    if (performance.now() > deadlineMs) return false;
    await delay(10);
  }
  return false;
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy());
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
