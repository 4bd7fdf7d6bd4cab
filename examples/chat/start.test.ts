/** Tests of `npm start` as a process: both come up and go down together, or it says why not. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { NatsServer, natsMissing } from "../../test/support/nats-server.ts";
import { ObservedClient } from "../../test/support/observed-client.ts";

const program = fileURLToPath(new URL("start.js", import.meta.url));

interface Run {
  child: ChildProcess;
  output: string;
  errors: string;
  ended: Promise<number | null>;
}

let ports: { chat: number; gateway: number; admin: number; link: number };
let blocker: Server | undefined;

beforeEach(async () => {
  const servers = [0, 0, 0, 0].map(() => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const found = servers.map((server) => (server.address() as AddressInfo).port);
  const [chat, gateway, admin, link] = found as [number, number, number, number];
  ports = { chat, gateway, admin, link };
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

function start(environment: Record<string, string> = {}, parameters: string[] = []): Run {
  const child = spawn(process.execPath, [program, ...parameters], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      CHAT_PORT: String(ports.chat),
      CHAT_GATEWAY_PORT: String(ports.gateway),
      CHAT_ADMIN_PORT: String(ports.admin),
      CHAT_LINK_PORT: String(ports.link),
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

interface Heard {
  type: string;
  joined?: string;
  left?: string;
  people?: { name: string }[];
  message?: { text: string };
}

/** The first that is meant, of what the client was sent. */
async function heard(client: ObservedClient, isMeant: (value: Heard) => boolean): Promise<Heard> {
  for (let count = 1; ; count += 1) {
    const value: Heard = JSON.parse(String((await client.received(count)).at(count - 1)));
    if (isMeant(value)) return value;
  }
}

/** The gateway is ready before it has reached its service: until then that is 503. */
async function refusalOf(url: string): Promise<[status: number, body: string]> {
  for (let attempt = 1; ; attempt += 1) {
    const { body, status } = await ObservedClient.refused(url);
    if (status !== 503 || attempt === 1000) return [status, body];
  }
}

/** Each with why it cannot be had here. */
const carriers: readonly (readonly [name: string, skip: string | false])[] = [
  ["http", false],
  ["link", false],
  ["nats", natsMissing],
];

for (const [carrier, skip] of carriers) {
  test(`two people talk and one leaves, with --carrier ${carrier}`, { skip }, async () => {
    const server = carrier === "nats" ? await NatsServer.start() : undefined;
    const environment = server === undefined ? {} : { CHAT_NATS_URL: server.url };
    const run = start(environment, ["--carrier", carrier]);
    await untilWelcome(run);
    const url = `ws://127.0.0.1:${ports.gateway}/chat/lobby?name=`;
    assert.deepEqual(await refusalOf(url), [400, "Choose a name first.\n"]);
    const ada = await ObservedClient.open(`${url}Ada`);
    await heard(ada, ({ type }) => type === "welcome");
    const grace = await ObservedClient.open(`${url}Grace`);
    const { people } = await heard(grace, ({ type }) => type === "welcome");
    assert.deepEqual(
      people?.map(({ name }) => name),
      ["Ada", "Grace"],
    );
    await heard(ada, ({ joined }) => joined === "Grace");
    ada.send(JSON.stringify({ type: "say", id: "m1", text: "hello" }));
    await heard(ada, ({ type }) => type === "accepted");
    await heard(grace, ({ message }) => message?.text === "hello");
    await grace.close();
    await heard(ada, ({ left }) => left === "Grace");
    await ada.close();
    run.child.kill("SIGTERM");
    assert.equal(await run.ended, 0, run.errors);
    assert.doesNotMatch(run.errors, /^chat: /m);
  });
}

test("a NATS that is not there is named, with what to do", async () => {
  const natsUrl = `nats://127.0.0.1:${ports.link}`;
  const run = start({ CHAT_NATS_URL: natsUrl }, ["--carrier", "nats"]);
  assert.equal(await run.ended, 1);
  assert.match(run.errors, /cannot use NATS at nats:.*refused.*Start nats-server/);
  assert.equal(run.output, "");
});

test("a NATS that wants a login says so, and is not told to be absent", {
  skip: natsMissing,
}, async () => {
  const server = await NatsServer.start({ token: "secret" });
  const run = start({ CHAT_NATS_URL: server.url }, ["--carrier", "nats"]);
  assert.equal(await run.ended, 1);
  assert.match(run.errors, /Authorization Violation.*one that asks for no login/);
});

test("a carrier that is none is refused by name", async () => {
  for (const [parameters, word] of [
    [["--carrier", "pigeon"], /--carrier is "pigeon"; it can be http, link, nats/],
    [["--carier", "nats"], /--carier/],
  ] as const) {
    const run = start({}, [...parameters]);
    assert.equal(await run.ended, 1);
    assert.match(run.errors, word);
  }
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
