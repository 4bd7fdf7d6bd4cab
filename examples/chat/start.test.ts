/** Tests of `npm start` as a process: both come up and go down together, or it says why not. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("start.js", import.meta.url));

interface Run {
  child: ChildProcess;
  output: string;
  errors: string;
  ended: Promise<number | null>;
}

let ports: { chat: number; gateway: number; admin: number };
let blocker: Server | undefined;

beforeEach(async () => {
  const servers = [0, 0, 0].map(() => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const [chat, gateway, admin] = servers.map((server) => (server.address() as AddressInfo).port);
  ports = { chat: chat as number, gateway: gateway as number, admin: admin as number };
  await Promise.all(servers.map((server) => once(server.close(), "close")));
});

afterEach(() => {
  blocker?.close();
  blocker = undefined;
});

async function block(port: number): Promise<void> {
  blocker = createServer().listen(port, "0.0.0.0");
  await once(blocker, "listening");
}

function start(environment: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [program], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      CHAT_PORT: String(ports.chat),
      CHAT_GATEWAY_PORT: String(ports.gateway),
      CHAT_ADMIN_PORT: String(ports.admin),
      ...environment,
    },
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const run: Run = { child, output: "", errors: "", ended };
  child.stdout?.on("data", (chunk) => {
    run.output += String(chunk);
  });
  child.stderr?.on("data", (chunk) => {
    run.errors += String(chunk);
  });
  return run;
}

async function untilWelcome(run: Run): Promise<void> {
  const isOver = run.ended.then(() => true);
  while (!run.output.includes("Ctrl-C")) {
    const next = once(run.child.stdout as NodeJS.ReadableStream, "data").then(() => false);
    if (await Promise.race([isOver, next])) assert.fail(`it ended:\n${run.errors}`);
  }
}

async function answers(port: number, path: string): Promise<number | "nothing"> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    await response.arrayBuffer();
    return response.status;
  } catch {
    // What is wanted after the end.
    return "nothing";
  }
}

test("it prints the page's address when both are ready, and ends both on SIGTERM", async () => {
  const run = start();
  await untilWelcome(run);
  assert.match(run.output, new RegExp(`Chat: http://localhost:${ports.chat}/\n`));
  assert.equal(await answers(ports.chat, "/"), 200);
  assert.equal(await answers(ports.gateway, "/readyz"), 200);
  run.child.kill("SIGTERM");
  assert.equal(await run.ended, 0, run.errors);
  assert.equal(await answers(ports.chat, "/"), "nothing");
  assert.equal(await answers(ports.gateway, "/readyz"), "nothing");
});

test("it ends on SIGINT as well, also when it comes twice at once as from npm", async () => {
  const run = start();
  await untilWelcome(run);
  run.child.kill("SIGINT");
  run.child.kill("SIGINT");
  assert.equal(await run.ended, 0, run.errors);
  assert.equal(await answers(ports.gateway, "/readyz"), "nothing");
});

test("a chat port that is in use is named, with what to do", async () => {
  await block(ports.chat);
  const run = start();
  assert.equal(await run.ended, 1);
  assert.match(run.errors, new RegExp(`port ${ports.chat}: another program has it.*CHAT_PORT`));
  assert.equal(run.output, "");
});

test("a gateway that cannot start ends the chat as well", async () => {
  await block(ports.gateway);
  const run = start();
  assert.equal(await run.ended, 1);
  assert.match(run.errors, /HG_LISTEN_FAILED/);
  assert.match(run.errors, /The gateway ended .* above says why.*CHAT_GATEWAY_PORT/);
  assert.equal(run.output, "");
  assert.equal(await answers(ports.chat, "/"), "nothing");
});

test("a port that is none is refused by name", async () => {
  const run = start({ CHAT_ADMIN_PORT: "eighty" });
  assert.equal(await run.ended, 1);
  assert.match(run.errors, /CHAT_ADMIN_PORT is "eighty"/);
});
