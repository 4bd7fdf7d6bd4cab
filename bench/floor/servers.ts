/**
 * The servers that are compared, each listening on a free port of 127.0.0.1: the floor, Headgate
 * with its echo: service and everything else at its defaults, and peers given as a command.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Child } from "./child.ts";
import { childrenOf } from "./process-usage.ts";

const START_TIMEOUT_MS = 20_000;

export interface Server {
  port: number;
  /** The process that holds the connections. */
  pid: number;
  stop(): Promise<void>;
}

/** How to start one of them, more than once. */
export interface Contender {
  name: string;
  /** Speaks no WebSocket: the bytes alone are sent. */
  raw: boolean;
  start(): Promise<Server>;
}

export function floor(binary: string): Contender {
  const start = async (): Promise<Server> => {
    const child = new Child(0, [binary]);
    const port = Number(await child.line());
    return { port, pid: child.pid, stop: () => child.stop("terminate") };
  };
  return { name: "floor", raw: true, start };
}

export function headgate(root: string): Contender {
  const start = async (): Promise<Server> => {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
    const file = join(folder, "headgate.yaml");
    writeFileSync(file, configuration(port, await freePort()));
    const main = join(root, "dist/src/cli/main.js");
    const child = new Child(0, [process.execPath, main, "start", "--config", file]);
    await listening(child, port).finally(() => rmSync(folder, { recursive: true }));
    const [worker, ...others] = childrenOf(child.pid);
    if (worker === undefined || others.length > 0) throw new Error("there is not just one worker");
    return { port, pid: worker, stop: () => child.stop("terminate") };
  };
  return { name: "headgate", raw: false, start };
}

function configuration(port: number, adminPort: number): string {
  return `
listen:
  - address: 127.0.0.1:${port}
hubs:
  echo:
    paths: [/]
    service: "echo:"
admin: { address: "127.0.0.1:${adminPort}" }
workers: 1
`;
}

/** `command` is run by the shell; it finds its port in PORT and is the process that serves. */
export function peer(name: string, command: string): Contender {
  const start = async (): Promise<Server> => {
    const port = await freePort();
    const child = new Child(0, ["sh", "-c", `exec ${command}`], { env: { PORT: String(port) } });
    await listening(child, port);
    return { port, pid: child.pid, stop: () => child.stop("terminate") };
  };
  return { name, raw: false, start };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

async function listening(child: Child, port: number): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (!(await answers(port))) {
    if (!child.running || performance.now() > deadlineMs) throw child.failure();
    await sleep(50);
  }
}

const handshake = [
  "GET / HTTP/1.1",
  "Host: 127.0.0.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  ...["", ""],
].join("\r\n");

/** Whether a handshake at the port is answered: a listening socket may have no worker yet. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(1000, () => socket.destroy());
    socket.once("connect", () => socket.write(handshake));
    socket.once("data", () => {
      resolve(true);
      socket.destroy();
    });
    // `close` follows, and is the answer.
    socket.once("error", () => {});
    socket.once("close", () => resolve(false));
  });
}
