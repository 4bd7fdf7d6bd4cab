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
  /** All of its processes; the first holds the connections. */
  pids: [number, ...number[]];
  /** Which of them watches over the others, where one does. */
  supervisorPid?: number;
  /** Where it takes pushes by REST. */
  adminPort?: number;
  stop(): Promise<void>;
}

/** How to start one of them, more than once. */
export interface Contender {
  name: string;
  /** Speaks no WebSocket: the bytes alone are sent. */
  raw: boolean;
  start(): Promise<Server>;
}

export interface HeadgateOptions {
  /** As in the configuration; `echo:` when left out. */
  service?: string;
  workers?: number;
  compression?: boolean;
  /** Whether its events travel in batches; only with a service. */
  batch?: boolean;
  /** Without the hub of those who are pushed to: its service is for one. */
  isOneHub?: boolean;
}

/** With `--fanout` among its options, what one connection sends goes to all others. */
export function floor(binary: string, options: string[] = []): Contender {
  const start = async (): Promise<Server> => {
    const child = new Child(0, [binary, ...options]);
    const port = Number(await child.line());
    return { port, pids: [child.pid], stop: () => child.stop("terminate") };
  };
  return { name: "floor", raw: true, start };
}

/** So many processes of it behind one port, among which the kernel spreads connections. */
export function floors(binary: string, processes: number): Contender {
  const start = async (): Promise<Server> => {
    const first = await floor(binary, ["--shared"]).start();
    const others: Server[] = [];
    const stop = async () => {
      for (const server of [...others, first]) await server.stop();
    };
    try {
      while (others.length < processes - 1)
        others.push(await floor(binary, ["--shared", "--port", String(first.port)]).start());
    } catch (error) {
      await stop();
      throw error;
    }
    const pids: Server["pids"] = [...first.pids, ...others.flatMap((server) => server.pids)];
    return { port: first.port, pids, stop };
  };
  return { name: "floor", raw: true, start };
}

export function headgate(root: string, options: HeadgateOptions = {}): Contender {
  const start = async (): Promise<Server> => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
    const file = join(folder, "headgate.yaml");
    writeFileSync(file, configuration(port, adminPort, options));
    const main = join(root, "dist/src/cli/main.js");
    const child = new Child(0, [process.execPath, main, "start", "--config", file]);
    const isUp = listening(child, port, "HTTP/1.1 101 ");
    await isUp.finally(() => rmSync(folder, { recursive: true }));
    const [first, ...others] = childrenOf(child.pid);
    if (first === undefined || others.length + 1 !== (options.workers ?? 1))
      throw new Error("there are not as many workers as asked for");
    const pids: Server["pids"] = [first, ...others, child.pid];
    const stop = () => child.stop("terminate");
    return { port, pids, supervisorPid: child.pid, adminPort, stop };
  };
  return { name: "Headgate", raw: false, start };
}

/**
 * Everything at its defaults but the size of a message, which 1 MiB has to fit into. Who is pushed
 * to has a hub of his own, so that others can be there who are not.
 */
function configuration(port: number, adminPort: number, options: HeadgateOptions): string {
  const hub = [
    `service: "${options.service ?? "echo:"}"`,
    "limits: { messageBytesMax: 16777216 }",
    `compression: ${options.compression ? "on" : "off"}`,
    `batch: ${options.batch ? "on" : "off"}`,
  ].join(", ");
  return `
listen:
  - address: 127.0.0.1:${port}
hubs:
  echo: { paths: [/, /anonymous], ${hub} }
${options.isOneHub ? "" : `  group: { paths: [/group, /groups], ${hub} }`}
admin: { address: "127.0.0.1:${adminPort}" }
workers: ${options.workers ?? 1}
`;
}

/** `command` is run by the shell; it finds its port in PORT and is the process that serves. */
export function peer(name: string, command: string): Contender {
  const start = async (): Promise<Server> => {
    const port = await freePort();
    const child = new Child(0, ["sh", "-c", `exec ${command}`], { env: { PORT: String(port) } });
    await listening(child, port);
    return { port, pids: [child.pid], stop: () => child.stop("terminate") };
  };
  return { name, raw: false, start };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

/** Resolves when a handshake at the port is answered, by something that begins so. */
export async function listening(child: Child, port: number, beginning = ""): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (!(await answers(port, beginning))) {
    if (!child.running || performance.now() > deadlineMs) throw child.failure();
    await sleep(50);
  }
}

/** What a client asks for, at this path; everybody may use the key of RFC 6455, 1.3. */
export function upgradeRequest(path: string): string {
  return [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    ...["", ""],
  ].join("\r\n");
}

/**
 * Whether a handshake at the port is answered: a listening socket may have no worker yet, and a
 * worker no way to its service, which another answer tells.
 */
export function answers(port: number, beginning = ""): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(1000, () => socket.destroy());
    socket.once("connect", () => socket.write(upgradeRequest("/")));
    socket.once("data", (head) => {
      resolve(head.toString("latin1").startsWith(beginning));
      socket.destroy();
    });
    // `close` follows, and is the answer.
    socket.once("error", () => {});
    socket.once("close", () => resolve(false));
  });
}
