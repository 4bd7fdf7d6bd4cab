import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { HeadgateError } from "../core/error.ts";
import type { Configuration } from "./configuration.ts";
import {
  configurationForService,
  configurationOf,
  loadConfiguration,
  memoryBytesOf,
  parseConfiguration,
} from "./load.ts";
import { ConfigurationError, formatProblem } from "./problem.ts";
import type { Environment } from "./substitution.ts";

const folder = makeTemporaryFolder();
const file = join(folder, "headgate.yaml");

const HUB = 'hubs: { chat: { service: "echo:" } }\n';

function parse(text: string, environment: Environment = {}): Configuration {
  return parseConfiguration(text, file, environment);
}

/** Every problem of a configuration, without the file's name. */
function problemsOf(text: string, environment: Environment = {}): string[] {
  try {
    parse(text, environment);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    return error.problems.map((problem) => formatProblem(problem).slice(file.length + 1));
  }
  return [];
}

test("the smallest configuration has the defaults of the documentation", () => {
  const configuration = parse(HUB);
  assert.equal(configuration.name, hostname());
  assert.deepEqual(configuration.listen, [{ host: "0.0.0.0", port: 8000 }]);
  assert.deepEqual(configuration.admin, { host: "127.0.0.1", port: 8001, keys: [] });
  assert.equal(configuration.workers, 1);
  const { chat } = configuration.hubs;
  assert.deepEqual(chat?.paths, ["/client/hubs/chat"]);
  assert.deepEqual(chat?.service, { kind: "echo" });
  assert.equal(chat?.origins, undefined);
  assert.deepEqual(chat?.signingKeys, []);
  assert.equal(chat?.consent, false);
  assert.equal(chat?.compression, false);
  assert.equal(chat?.batch, false);
  assert.equal(chat?.slowConsumer, "keep");
});

test("every limit has its default", () => {
  const { bufferBudgetBytes, ...limits } = parse(HUB).limits;
  assert.ok(Number.isSafeInteger(bufferBudgetBytes) && bufferBudgetBytes > 0);
  assert.deepEqual(limits, {
    requestHeadBytesMax: 8192,
    requestHeadersMax: 64,
    requestTargetBytesMax: 4096,
    handshakeTimeoutMs: 10000,
    connectTimeoutMs: 8000,
    handshakesPendingMax: 10000,
    messageBytesMax: 131072,
    pushBytesMax: 1048576,
    pushReceiversRememberedMax: 1048576,
    fragmentedMessageTimeoutMs: 30000,
    framesPerMessageMax: 131072,
    emptyFramesPerMessageMax: 1024,
    controlFramesPerSecond: 20,
    controlFramesBurst: 50,
    unacknowledgedMessagesMax: 64,
    unacknowledgedBytesMax: 1048576,
    holdTimeoutMs: 30000,
    writeQueueSoftBytes: 262144,
    writeQueueHardBytes: 1048576,
    writeStallTimeoutMs: 10000,
    pingIntervalMs: 25000,
    pongTimeoutMs: 10000,
    idleTimeoutMs: 75000,
    tcpUserTimeoutMs: 30000,
    closeTimeoutMs: 5000,
    lifetimeMs: 0,
    connectionsMax: 0,
    groupsPerConnectionMax: 128,
    nameBytesMax: 255,
    serviceConnectTimeoutMs: 2000,
    serviceTimeoutMs: 10000,
    serviceResponseBytesMax: 1048576,
    serviceInflightMax: 256,
    batchEventsMax: 256,
    batchBytesMax: 262144,
    batchesInflightMax: 4,
    serviceConnectionAgeMs: 60000,
    connectionStateBytesMax: 4096,
    lifecycleQueueMax: 100000,
    adminBodyBytesMax: 1048576,
    adminBatchMax: 1000,
  });
});

test("every key that is built is taken over", () => {
  const configuration = parse(
    `name: gateway.example
listen:
  - address: 0.0.0.0:8000
    serve: [clients]
  - address: "[::1]:9000"
  - { address: :0 }
  - { address: localhost:9001 }
hubs:
  chat:
    paths: [/chat, /chat/:room]
    service: http://127.0.0.1:3000/events
    auth: { connect: false }
    origins: [https://App.example:443, "http://localhost:3000", "*"]
    signingKeys: [first, second]
    compression: on
    batch: on
    consent: on
    slowConsumer: drop-oldest
    dialect: cloudevents
    limits: { messageBytesMax: 2048, batchEventsMax: 100, messagesPerSecond: 0 }
  other: { service: { url: "https://service.example/a?b=c" } }
admin: { address: 0.0.0.0:8001, keys: [ \${HEADGATE_KEY} ] }
workers: auto
limits: { messageBytesMax: 4096, bufferBudgetBytes: 1000000, drainTimeoutMs: 25000 }
`,
    { HEADGATE_KEY: "secret" },
  );
  assert.deepEqual(configuration.listen, [
    { host: "0.0.0.0", port: 8000 },
    { host: "::1", port: 9000 },
    { host: "0.0.0.0", port: 0 },
    { host: "127.0.0.1", port: 9001 },
  ]);
  const { chat, other } = configuration.hubs;
  assert.deepEqual(chat, {
    paths: ["/chat", "/chat/:room"],
    service: { kind: "http", url: "http://127.0.0.1:3000/events" },
    auth: { connect: false },
    origins: ["https://app.example", "http://localhost:3000", "*"],
    signingKeys: ["first", "second"],
    consent: true,
    compression: true,
    batch: true,
    slowConsumer: "drop-oldest",
    limits: {
      messageBytesMax: 2048,
      unacknowledgedMessagesMax: 64,
      unacknowledgedBytesMax: 1048576,
      holdTimeoutMs: 30000,
      lifetimeMs: 0,
      serviceConnectTimeoutMs: 2000,
      serviceTimeoutMs: 10000,
      serviceResponseBytesMax: 1048576,
      serviceInflightMax: 256,
      batchEventsMax: 100,
      batchBytesMax: 262144,
      batchesInflightMax: 4,
      serviceConnectionAgeMs: 60000,
    },
  });
  assert.equal(other?.limits.messageBytesMax, 4096);
  assert.deepEqual(other?.service, { kind: "http", url: "https://service.example/a?b=c" });
  assert.equal(configuration.name, "gateway.example");
  assert.deepEqual(configuration.admin, { host: "0.0.0.0", port: 8001, keys: ["secret"] });
  assert.equal(configuration.workers, availableParallelism());
  assert.equal(configuration.limits.bufferBudgetBytes, 1000000);
});

test("the service is asked before a client is let in, but for echo:", () => {
  assert.equal(parse(HUB).hubs.chat?.auth.connect, false);
  const text = "hubs: { chat: { service: http://127.0.0.1:3000 } }";
  assert.equal(parse(text).hubs.chat?.auth.connect, true);
});

test("JSON is read as well", () => {
  const text = JSON.stringify({ hubs: { chat: { service: "echo:" } }, workers: 2 }, null, "\t");
  assert.equal(parse(text).workers, 2);
});

test("anchors and aliases are followed", () => {
  const { hubs } = parse(`hubs:
  a: { service: "echo:", limits: &shared { messageBytesMax: 2048 } }
  b: { service: "echo:", limits: *shared }
`);
  assert.equal(hubs.b?.limits.messageBytesMax, 2048);
});

test("a mapping whose lines are all comments is an empty one", () => {
  assert.equal(
    parse(`${HUB}limits:\n  # pingIntervalMs: 1\nadmin:\n`).limits.pingIntervalMs,
    25000,
  );
});

test("the buffer budget is a quarter of the memory, divided among the workers", () => {
  const one = parse(`${HUB}workers: 1`).limits.bufferBudgetBytes;
  const four = parse(`${HUB}workers: 4`).limits.bufferBudgetBytes;
  assert.ok(Math.abs(one / 4 - four) <= 1);
  assert.equal(memoryBytesOf(1000, 0), 1000);
  assert.equal(memoryBytesOf(1000, 2 ** 64), 1000);
  assert.equal(memoryBytesOf(1000, 400), 400);
});

test("variables and files are filled in, in quotes and out of them", () => {
  writeFileSync(join(folder, "key.txt"), "from a file, with = and #\n");
  const { hubs, workers, limits, name } = parse(
    `name: \${NAME}.example
hubs:
  chat:
    service: "\${SCHEME}://\${HOST}/events"
    auth: { connect: \${ASK} }
    signingKeys: [ \${KEY}, \${file:key.txt}, '\${file:${join(folder, "key.txt")}}', $\${KEY} ]
workers: \${WORKERS}
limits: { pingIntervalMs: "\${PING}" } # \${NOT_LOOKED_AT}
`,
    {
      NAME: "gateway",
      SCHEME: "https",
      HOST: "service",
      KEY: "12345 $" + "{NAME}",
      ASK: "false",
      WORKERS: "3",
      PING: "20000",
    },
  );
  assert.equal(name, "gateway.example");
  assert.deepEqual(hubs.chat?.service, { kind: "http", url: "https://service/events" });
  assert.equal(hubs.chat?.auth.connect, false);
  const fromFile = "from a file, with = and #";
  const [first, ...others] = hubs.chat?.signingKeys ?? [];
  assert.equal(first, "12345 $" + "{NAME}", "what is filled in is not looked through again");
  assert.deepEqual(others, [fromFile, fromFile, "$" + "{KEY}"]);
  assert.equal(workers, 3);
  assert.equal(limits.pingIntervalMs, 20000);
});

test("what cannot be filled in is told with its place, and not twice", () => {
  const problems = problemsOf(
    `hubs:
  chat:
    service: \${SERVICE}
    signingKeys: [ \${file:none.txt}, "\${a b}", "\${open", "\${file:.}" ]
workers: \${toString}
`,
  );
  assert.deepEqual(
    problems.map((problem) => problem.replaceAll(folder, "…").replace(/\(.*\)/, "(…)")),
    [
      "3:14: hubs.chat.service: the environment variable SERVICE is not set; " +
        "set it, or write the value",
      "4:20: hubs.chat.signingKeys[0]: cannot read the file (…); create it, or name another",
      '4:38: hubs.chat.signingKeys[1]: "a b" is not the name of a variable; write $' +
        "{NAME}, or $" +
        "{file:path}",
      '4:48: hubs.chat.signingKeys[2]: has "$' +
        '{" without "}"; close it, or write "$$' +
        '{" for a plain "$' +
        '{"',
      "4:58: hubs.chat.signingKeys[3]: … is not a file; name a file",
      "5:10: workers: the environment variable toString is not set; set it, or write the value",
    ],
  );
});

test("a value that was filled in is checked like one that was written", () => {
  const [problem] = problemsOf(`${HUB}workers: \${WORKERS}`, { WORKERS: "4k" });
  assert.equal(problem, '2:10: workers: must be a whole number from 1 to 256 or auto, not "4k"');
  assert.deepEqual(problemsOf(`${HUB}workers: "4"`).length, 1, "a quoted number is text");
});

test("a file that is missing is told with what to do", async () => {
  await assert.rejects(loadConfiguration(join(folder, "none.yaml")), (error) => {
    assert.ok(error instanceof HeadgateError);
    assert.equal(error.code, "HG_CONFIG_NOT_FOUND");
    assert.match(error.message, /headgate init/);
    return true;
  });
  await assert.rejects(loadConfiguration(folder), { code: "HG_CONFIG_UNREADABLE" });
});

test("a file is loaded with the variables that it is given", async () => {
  writeFileSync(file, `${HUB}name: \${NAME}`);
  assert.equal((await loadConfiguration(file, { NAME: "here" })).name, "here");
});

test("one service without a file is one hub at /", () => {
  const { hubs, listen } = configurationForService("http://127.0.0.1:3000/events", ":9000");
  assert.deepEqual(Object.keys(hubs), ["default"]);
  assert.deepEqual(hubs.default?.paths, ["/"]);
  assert.deepEqual(hubs.default?.service, { kind: "http", url: "http://127.0.0.1:3000/events" });
  assert.deepEqual(listen, [{ host: "0.0.0.0", port: 9000 }]);
  assert.deepEqual(configurationForService("echo:").listen, [{ host: "0.0.0.0", port: 8000 }]);
});

test("a mistake in an option is told by the option's name", () => {
  assert.throws(
    () => configurationForService("links://x", "8000"),
    (error) => {
      assert.ok(error instanceof ConfigurationError);
      const [service, listen] = error.problems.map(formatProblem);
      assert.match(service ?? "", /^--service: links: is not built yet/);
      assert.match(listen ?? "", /^--listen: needs a colon before the port/);
      return true;
    },
  );
  assert.throws(() => configurationForService("echo:", ":8001"), /^ConfigurationError: --listen: /);
});

test("a caller in code gives a plain value, and undefined leaves a key out", () => {
  const configuration = configurationOf({
    hubs: { chat: { service: "echo:", signingKeys: ["$" + "{KEY}"] } },
    name: undefined,
  });
  const limits = { messageBytesMax: undefined };
  const { hubs } = configurationOf({ hubs: { chat: { service: "echo:", limits } } });
  assert.equal(hubs.chat?.limits.messageBytesMax, 131072);
  assert.deepEqual(configuration.hubs.chat?.signingKeys, ["$" + "{KEY}"]);
  assert.throws(
    () => configurationOf({ hubs: { chat: { service: "x" } } }),
    /^ConfigurationError: hubs\.chat\.service: must be an http: or https: URL/,
  );
});

test("the configuration survives JSON, in which it travels to the workers", () => {
  const configuration = parse(HUB);
  const copy = JSON.parse(JSON.stringify(configuration)) as Configuration;
  assert.deepEqual(copy.limits, configuration.limits);
  assert.equal(copy.hubs.chat?.origins, undefined);
});

test("what workers import of the configuration loads neither zod nor the YAML parser", () => {
  const seen = new Set<string>();
  const visit = (url: URL): void => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    for (const [, name = ""] of readFileSync(url, "utf8").matchAll(/(?:from|import) "([^"]+)"/g)) {
      assert.ok(name.startsWith(".") || name.startsWith("node:"), `${url} imports ${name}`);
      if (name.startsWith(".")) visit(new URL(name, url));
    }
  };
  visit(new URL("./configuration.js", import.meta.url));
  visit(new URL("./path-pattern.js", import.meta.url));
  assert.equal(seen.size, 2);
});
