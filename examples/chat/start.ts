/**
 * `npm start`: the chat service in this process and the gateway in a child process, started
 * together and ended together; `npm start -- --carrier link` or `nats` has the events come
 * another way. README.md beside this file lists the variables that it reads.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type CarrierName, carrierNames } from "./carriers.ts";
import { ChatService } from "./service.ts";

const READY_TIMEOUT_MS = 15_000;
const OTHER_PORTS = " CHAT_GATEWAY_PORT and CHAT_ADMIN_PORT set other ports.";

const gatewayProgram = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const gatewayConfiguration = fileURLToPath(
  new URL("../../../examples/chat/headgate.yaml", import.meta.url),
);

/** What went wrong, as one sentence for the person at the terminal. */
class StartError extends Error {}

interface Ports {
  chat: number;
  gateway: number;
  admin: number;
  link: number;
}

/** What the gateway calls the service, for each carrier. */
const serviceUrls: Record<CarrierName, (ports: Ports) => string> = {
  http: ({ chat }) => `http://127.0.0.1:${chat}/events`,
  link: ({ link }) => `link://127.0.0.1:${link}`,
  nats: () => natsUrl(),
};

try {
  process.exitCode = await run();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function run(): Promise<number> {
  const carrier = readCarrier();
  const ports = readPorts();
  const signingKey = process.env.CHAT_SIGNING_KEY || randomBytes(24).toString("base64url");
  const service = new ChatService({
    hub: "chat",
    adminUrl: `http://127.0.0.1:${ports.admin}`,
    adminKey: process.env.HEADGATE_KEY || undefined,
    gatewayPort: ports.gateway,
    signingKeys: [signingKey],
    carrier,
    linkPort: ports.link,
    natsUrl: natsUrl(),
    log: (sentence) => process.stderr.write(`chat: ${sentence}\n`),
  });
  await listen(service, carrier, ports);
  const gateway = startGateway(ports, serviceUrls[carrier](ports), signingKey);
  const ended = endOf(gateway);
  const wasStopped = forwardSignals(gateway);
  try {
    const isUp = await untilReady(ports.gateway, ended);
    if (isUp) welcome(ports);
    const code = await ended;
    if (wasStopped()) return code;
    throw new StartError(
      `The gateway ended with ${code}; what it wrote above says why.${isUp ? "" : OTHER_PORTS}`,
    );
  } finally {
    gateway.kill("SIGTERM");
    await ended;
    await service.close();
  }
}

function readCarrier(): CarrierName {
  const named = () => parseArgs({ options: { carrier: { type: "string", default: "http" } } });
  let carrier: string;
  try {
    carrier = named().values.carrier;
  } catch (cause) {
    throw new StartError((cause as Error).message, { cause });
  }
  const found = carrierNames.find((name) => name === carrier);
  if (found !== undefined) return found;
  throw new StartError(`--carrier is "${carrier}"; it can be ${carrierNames.join(", ")}.`);
}

function natsUrl(): string {
  return process.env.CHAT_NATS_URL || "nats://127.0.0.1:4222";
}

function readPorts(): Ports {
  const read = (name: string, fallback: number): number => {
    const text = process.env[name] || String(fallback);
    const port = Number(text);
    if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
    throw new StartError(`${name} is "${text}"; a port is a number from 1 to 65535.`);
  };
  return {
    chat: read("CHAT_PORT", 3000),
    gateway: read("CHAT_GATEWAY_PORT", 8000),
    admin: read("CHAT_ADMIN_PORT", 8001),
    link: read("CHAT_LINK_PORT", 7000),
  };
}

async function listen(service: ChatService, carrier: CarrierName, ports: Ports): Promise<void> {
  const port = ports.chat;
  try {
    await service.listen(port, process.env.CHAT_HOST || "127.0.0.1");
  } catch (cause) {
    await service.close();
    const { code, message, syscall } = cause as NodeJS.ErrnoException;
    if (code === "HG_LISTEN_FAILED") {
      throw new StartError(`${message} CHAT_LINK_PORT sets another port.`, { cause });
    }
    if (carrier === "nats" && syscall !== "listen") {
      throw new StartError(
        `The chat service cannot use NATS at ${natsUrl()}: ${message}. ` +
          "Start nats-server, or set CHAT_NATS_URL to one that asks for no login.",
        { cause },
      );
    }
    const why = code === "EADDRINUSE" ? "another program has it" : code;
    throw new StartError(
      `The chat service cannot listen on port ${port}: ${why}. Set CHAT_PORT to another port.`,
      { cause },
    );
  }
}

function startGateway(ports: Ports, serviceUrl: string, signingKey: string): ChildProcess {
  return spawn(process.execPath, [gatewayProgram, "start", "--config", gatewayConfiguration], {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      CHAT_SERVICE: serviceUrl,
      CHAT_GATEWAY_PORT: String(ports.gateway),
      CHAT_ADMIN_PORT: String(ports.admin),
      CHAT_SIGNING_KEY: signingKey,
    },
  });
}

function endOf(gateway: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    gateway.once("error", reject);
    gateway.once("exit", (code, signal) => resolve(code ?? (signal === null ? 0 : 1)));
  });
}

/**
 * Returns a question: was there a signal? A Ctrl-C in a terminal reaches the gateway by itself
 * too; it takes two within half a second for one.
 */
function forwardSignals(gateway: ChildProcess): () => boolean {
  let wasStopped = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      wasStopped = true;
      gateway.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
    });
  }
  // Whatever ends us, a bug included, ends the gateway as well.
  process.on("exit", () => gateway.kill("SIGTERM"));
  return () => wasStopped;
}

/** False when the gateway ended before it was ready. */
async function untilReady(port: number, ended: Promise<number>): Promise<boolean> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  const hasEnded = ended.then(() => true);
  while (performance.now() < deadlineMs) {
    const pause = new Promise<boolean>((resolve) => setTimeout(resolve, 50, false));
    if (await Promise.race([hasEnded, pause])) return false;
    if (await isReady(port)) return true;
  }
  throw new StartError(
    `The gateway is not ready after ${READY_TIMEOUT_MS / 1000} s; what it wrote above says why.`,
  );
}

async function isReady(port: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(1000);
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

function welcome(ports: Ports): void {
  const bold = (text: string): string => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text);
  process.stdout.write(
    [
      "",
      `  ${bold(`Chat: http://localhost:${ports.chat}/`)}`,
      "",
      "  Open it in two browser windows, choose two names, and talk.",
      `  Clients:  ws://localhost:${ports.gateway}/chat/<room>?name=<name>`,
      `  Pushes:   http://127.0.0.1:${ports.admin}/api/hubs/chat/…  (docs/rest-api.md)`,
      "  Ctrl-C ends both.",
      "",
      "",
    ].join("\n"),
  );
}
