import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfiguration } from "./load.ts";
import { ConfigurationError, type Problem } from "./problem.ts";

const HUB = '\nhubs: { chat: { service: "echo:" } }\n';

const LONG = "a".repeat(129);

/**
 * A broken configuration, in which ▲ stands before the place that the problem must name; its
 * path; and what the message must hold.
 */
type Case = [text: string, path: string, message: string];

function problemsOf(text: string): readonly Problem[] {
  try {
    parseConfiguration(text, "headgate.yaml", {});
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.equal(error.code, "HG_CONFIG_INVALID");
    return error.problems;
  }
  return [];
}

function checkCases(title: string, cases: Case[]): void {
  for (const [marked, path, message] of cases) {
    const line = marked.split("\n").find((line) => line.includes("▲")) ?? "the whole file";
    test(`${title}: ${line.trim().replace("▲", "")}: ${message}`, () => {
      const text = marked.replace("▲", "");
      const before = marked.slice(0, Math.max(0, marked.indexOf("▲"))).split("\n");
      const place = `headgate.yaml:${before.length}:${(before.at(-1) ?? "").length + 1}`;
      const [problem, ...others] = problemsOf(text);
      assert.ok(problem !== undefined, "it was accepted");
      assert.deepEqual(others, [], "one mistake is told once");
      assert.equal(`${problem.file}:${problem.line}:${problem.column}`, place);
      assert.equal(problem.path, path);
      assert.ok(problem.message.includes(message), problem.message);
    });
  }
}

function hub(settings: string): string {
  return `hubs:\n  chat:\n    service: http://127.0.0.1:3000\n    ${settings}\n`;
}

function service(value: string): string {
  return `hubs:\n  chat:\n    service: ▲${value}\n`;
}

checkCases("not YAML", [
  ["hubs:\n  chat:\n    service: ▲echo:\n", "", 'in quotes, as in "echo:"'],
  [`${HUB}listen: [ { address: [::]▲:9000 } ]`, "", "correct the YAML"],
  [`${HUB}listen:\n  - address: [::]▲:9000\n`, "", 'in quotes, as in "[::]:8000"'],
  [`${HUB}▲\tworkers: 1\n`, "", "Tabs are not allowed as indentation"],
  [`${HUB}▲---\nworkers: 1\n`, "", 'multiple documents; keep one, and remove the "---"'],
  [`${HUB}workers: ▲!worker 1\n`, "", "Unresolved tag: !worker; remove the tag"],
  [`${HUB}name: "▲\\q"\n`, "", "Invalid escape sequence"],
  [`${HUB}workers: ▲*none\n`, "workers", 'no anchor is named "none"'],
  [`${HUB}workers: 1\n▲workers: 2\n`, "workers", "set twice, first in line 3"],
  [`${HUB}? ▲[a]\n: 1\n`, "", "a key that is not a plain word"],
]);

checkCases("shape", [
  ["▲# nothing here\n", "hubs", "missing; set it to a mapping"],
  ["▲- a\n", "", "must be a mapping with hubs, not a list"],
  ["▲workers: 1\n", "hubs", "missing; set it to a mapping"],
  ["▲hubs: {}\n", "hubs", "holds no hub"],
  ["▲hubs:\n", "hubs", "holds no hub"],
  ["hubs: ▲[]\n", "hubs", "must be a mapping, not a list"],
  ["hubs:\n  ▲chat:\n", "hubs.chat.service", "missing; set it to text such as http://"],
  ["hubs:\n  ▲1chat: { service: 'echo:' }\n", 'hubs["1chat"]', "is no hub's name"],
  ["hubs:\n  ▲a b: { service: 'echo:' }\n", 'hubs["a b"]', "is no hub's name"],
  ["hubs:\n  ▲__proto__: { service: 'echo:' }\n", "hubs.__proto__", "is no hub's name"],
  [`hubs:\n  ▲${LONG}: { service: 'echo:' }\n`, `hubs.${LONG}`, "up to 127"],
  [`${HUB}name: ▲"a b"`, "name", "visible ASCII"],
  [`${HUB}name: ▲""`, "name", "visible ASCII"],
  [`${HUB}name: ▲12`, "name", "must be text, not 12"],
]);

checkCases("unknown key", [
  [`${HUB}▲worker: 1`, "worker", 'unknown key; did you mean "workers"?'],
  [hub("▲servce: x"), "hubs.chat.servce", 'did you mean "service"?'],
  [hub("▲signing-keys: [x]"), "hubs.chat.signing-keys", 'did you mean "signingKeys"?'],
  [`${HUB}limits: { ▲ping_interval_ms: 1 }`, "limits.ping_interval_ms", '"pingIntervalMs"?'],
  [`${HUB}limits: { ▲nonsense: 1 }`, "limits.nonsense", "unknown key; remove it; known here: "],
  [`${HUB}listen: [ { ▲adress: ":1" } ]`, "listen[0].adress", '"address"?'],
  [`${HUB}admin: { ▲Address: ":1" }`, "admin.Address", '"address"?'],
  [hub("auth: { ▲conect: true }"), "hubs.chat.auth.conect", '"connect"?'],
  [hub("▲messageBytesMax: 2000"), "hubs.chat.messageBytesMax", "belongs to hubs.<name>.limits"],
  [hub("limits: { ▲idleTimeoutMs: 1 }"), "hubs.chat.limits.idleTimeoutMs", "belongs to limits;"],
  [
    'hubs: { chat: { service: { url: "echo:", ▲retries: 1 } } }',
    "hubs.chat.service.retries",
    "url",
  ],
]);

checkCases("paths", [
  [hub("paths: ▲/chat"), "hubs.chat.paths", 'must be a list, such as [ /chat ], not "/chat"'],
  [hub("paths: ▲[]"), "hubs.chat.paths", "is empty; give it at least one"],
  [hub("paths: [▲chat]"), "hubs.chat.paths[0]", 'must begin with "/"'],
  [hub("paths: [/ok, ▲/a//b]"), "hubs.chat.paths[1]", "empty segment"],
  [hub("paths: [▲/a/]"), "hubs.chat.paths[0]", 'ends in "/"'],
  [hub("paths: [▲/a/../b]"), "hubs.chat.paths[0]", 'has the segment ".."'],
  [hub("paths: [▲/a/*]"), "hubs.chat.paths[0]", 'segment "*" must be literal'],
  [hub("paths: [▲/a?b]"), "hubs.chat.paths[0]", 'segment "a?b" must be literal'],
  [hub("paths: [▲'/a/:']"), "hubs.chat.paths[0]", "a colon and a name"],
  [hub("paths: [▲/a/:b-c]"), "hubs.chat.paths[0]", "a colon and a name"],
  [hub("paths: [▲/:a/:a]"), "hubs.chat.paths[0]", 'names ":a" twice'],
  [hub("paths: [/a, ▲/a]"), "hubs.chat.paths[1]", "/a is taken by hubs.chat.paths[0]"],
  [
    `${hub("paths: [/a/:x]")}  b: { service: "echo:", paths: [/a/b, ▲/a/:y] }`,
    "hubs.b.paths[1]",
    "/a/:y and /a/:x (hubs.chat.paths[0]) match the same requests",
  ],
  [
    `${hub("paths: [/:x/b]")}  b: { service: "echo:", paths: [▲/a/:y] }`,
    "hubs.b.paths[0]",
    "/a/:y and /:x/b (hubs.chat.paths[0]) match the same requests",
  ],
  [
    `${hub("paths: [/client/hubs/b]")}  ▲b: { service: "echo:" }`,
    "hubs.b.paths",
    "/client/hubs/b is taken by hubs.chat.paths[0]",
  ],
]);

checkCases("services", [
  [service("ftp://x"), "hubs.chat.service", "must be an http: or https: URL"],
  [service("127.0.0.1:3000"), "hubs.chat.service", "must be an http: or https: URL"],
  [service("http://"), "hubs.chat.service", "is not a URL"],
  [service("http:x"), "hubs.chat.service", "is not a URL"],
  [service("http://user:password@x/"), "hubs.chat.service", "holds a user name or password"],
  [service("http://x/#a"), "hubs.chat.service", "has a fragment"],
  [service("3"), "hubs.chat.service", "must be text such as http://127.0.0.1:3000/events or"],
  [service("[http://a]"), "hubs.chat.service", "a mapping with url, not a list"],
  ["hubs:\n  chat:\n    ▲service: {}\n", "hubs.chat.service.url", "missing; set it to text"],
  ["hubs:\n  chat:\n    service: { url: ▲x }\n", "hubs.chat.service.url", "must be an http:"],
  [
    'hubs: { chat: { service: "echo:", auth: { connect: ▲true } } }',
    "hubs.chat.auth.connect",
    '"echo:" has no service to ask',
  ],
  [hub("auth: { connect: ▲yes }"), "hubs.chat.auth.connect", 'must be true or false, not "yes"'],
  [hub("consent: ▲true"), "hubs.chat.consent", "must be on or off, not true"],
  [
    hub("slowConsumer: ▲drop"),
    "hubs.chat.slowConsumer",
    "must be keep, drop-newest or drop-oldest",
  ],
  [hub("slowConsumer: ▲dropOldest"), "hubs.chat.slowConsumer", 'did you mean "drop-oldest"?'],
  [hub("compression: ▲maybe"), "hubs.chat.compression", 'must be on or off, not "maybe"'],
  [hub("batch: ▲maybe"), "hubs.chat.batch", 'must be on or off, not "maybe"'],
  [hub("signingKeys: [a, ▲'']"), "hubs.chat.signingKeys[1]", "is empty"],
  [hub("signingKeys: [▲12]"), "hubs.chat.signingKeys[0]", "must be text, not this value"],
  [hub("origins: [▲app.example]"), "hubs.chat.origins[0]", "must be a scheme, a host"],
  [hub("origins: [▲https://app.example/]"), "hubs.chat.origins[0]", 'remove "/" after'],
  [hub("origins: [▲https://a/b]"), "hubs.chat.origins[0]", 'remove "/b" after "a"'],
  [hub('origins: [▲"https://*.a"]'), "hubs.chat.origins[0]", 'a wildcard is "*" alone'],
  [hub("origins: [▲https://u@a]"), "hubs.chat.origins[0]", "remove"],
]);

checkCases("addresses", [
  [`${HUB}listen: ▲:8000`, "listen", "must be a list, such as [ { … } ]"],
  [`${HUB}listen: ▲[]`, "listen", "is empty"],
  [
    `${HUB}listen: [ { address: ▲8000 } ]`,
    "listen[0].address",
    "must be text such as 127.0.0.1:8000",
  ],
  [
    `${HUB}listen: [ { address: ▲"8000" } ]`,
    "listen[0].address",
    'colon before the port, such as ":8000"',
  ],
  [
    `${HUB}listen: [ { address: ▲"1.2.3.4" } ]`,
    "listen[0].address",
    "needs a port, such as 1.2.3.4:",
  ],
  [`${HUB}listen: [ { address: ▲":65536" } ]`, "listen[0].address", "from 0 to 65535, not 65536"],
  [`${HUB}listen: [ { address: ▲":-1" } ]`, "listen[0].address", "must be an address and a port"],
  [
    `${HUB}listen: [ { address: ▲"::1" } ]`,
    "listen[0].address",
    'brackets and a port, such as "[::1]:8000"',
  ],
  [
    `${HUB}listen: [ { address: ▲"[1.2.3.4]:80" } ]`,
    "listen[0].address",
    "1.2.3.4 is not an IPv6 address",
  ],
  [`${HUB}listen: [ { address: ▲"1.2.3.256:80" } ]`, "listen[0].address", "is not an IP address"],
  [`${HUB}listen: [ { address: ▲host:80 } ]`, "listen[0].address", "host is not an IP address"],
  [
    `${HUB}listen: [ { address: ":9000" }, { address: ▲"0.0.0.0:9000" } ]`,
    "listen[1].address",
    "0.0.0.0:9000 is taken by listen[0].address",
  ],
  [
    `${HUB}listen: [ { address: "[::1]:9000" }, { address: ▲"[0:0::1]:9000" } ]`,
    "listen[1].address",
    "is taken by listen[0].address ([::1]:9000)",
  ],
  [`${HUB}admin: { address: ▲"127.0.0.1:8000" }`, "admin.address", "taken by listen[0].address"],
  [`${HUB}listen: [ { serve: [▲admin] } ]`, "listen[0].serve[0]", 'must be clients, not "admin"'],
  [`${HUB}admin: { address: ▲"0.0.0.0:8001" }`, "admin.address", "there is no key"],
  [`${HUB}admin: { address: ▲"[::]:8001" }`, "admin.address", "is not a loopback address"],
  [`${HUB}admin: { address: ▲":8001", keys: [] }`, "admin.address", "there is no key"],
  [`${HUB}admin: { address: ":8001", key: ▲"" }`, "admin.key", "is empty"],
  [`${HUB}admin: { keys: [▲"a b"] }`, "admin.keys[0]", "which a header cannot carry"],
  [`${HUB}admin: { keys: ▲a }`, "admin.keys", "must be a list, such as [ … ], not this value"],
  [`${HUB}admin: { address: ":8001", keys: ▲a }`, "admin.keys", "must be a list"],
  [`${HUB}admin: { ▲key: a, keys: [b] }`, "admin.key", "put every key into keys"],
]);

checkCases("numbers", [
  [`${HUB}workers: ▲0`, "workers", "must be a whole number from 1 to 256 or auto, not 0"],
  [`${HUB}workers: ▲1.5`, "workers", "must be a whole number from 1 to 256 or auto, not 1.5"],
  [`${HUB}workers: ▲Auto`, "workers", 'did you mean "auto"?'],
  [`${HUB}workers:▲\n`, "workers", "not nothing"],
  [`${HUB}limits: { messageBytesMax: ▲1023 }`, "limits.messageBytesMax", "from 1024 to 67108864"],
  [
    `${HUB}limits: { messageBytesMax: ▲67108865 }`,
    "limits.messageBytesMax",
    "from 1024 to 67108864",
  ],
  [`${HUB}limits: { messageBytesMax: ▲128k }`, "limits.messageBytesMax", 'not "128k"'],
  [`${HUB}limits: { pongTimeoutMs: ▲0 }`, "limits.pongTimeoutMs", "from 1 to"],
  [`${HUB}limits: { controlFramesBurst: ▲0 }`, "limits.controlFramesBurst", "from 1 to"],
  [`${HUB}limits: { idleTimeoutMs: ▲-1 }`, "limits.idleTimeoutMs", "from 0 to"],
  [`${HUB}limits: { holdTimeoutMs: ▲.inf }`, "limits.holdTimeoutMs", "not Infinity"],
  [`${HUB}limits: { bufferBudgetBytes: ▲1 }`, "limits.bufferBudgetBytes", "from 65536, not 1"],
  [`${HUB}limits: { messageBytesMax: ▲1e23 }`, "limits.messageBytesMax", "not 1e+23"],
  [hub("limits: { messageBytesMax: ▲1 }"), "hubs.chat.limits.messageBytesMax", "from 1024 to"],
  [
    `${HUB}limits: { connectTimeoutMs: ▲10000 }`,
    "limits.connectTimeoutMs",
    "connectTimeoutMs (10000) must be below handshakeTimeoutMs (10000)",
  ],
  [
    `${HUB}limits: { handshakeTimeoutMs: ▲8000 }`,
    "limits.handshakeTimeoutMs",
    "connectTimeoutMs (8000) must be below handshakeTimeoutMs (8000)",
  ],
  [
    `${HUB}limits: { writeQueueHardBytes: 1000, writeQueueSoftBytes: ▲1001 }`,
    "limits.writeQueueSoftBytes",
    "must be not above writeQueueHardBytes (1000)",
  ],
  [
    `${HUB}limits: { writeStallTimeoutMs: ▲30000 }`,
    "limits.writeStallTimeoutMs",
    "must be below tcpUserTimeoutMs (30000)",
  ],
  [
    `${HUB}limits: { pingIntervalMs: ▲9999 }`,
    "limits.pingIntervalMs",
    "pongTimeoutMs (10000) must be not above pingIntervalMs (9999)",
  ],
]);

test("limits that are off have no order to keep", () => {
  assert.deepEqual(problemsOf(`${HUB}limits: { pingIntervalMs: 0, idleTimeoutMs: 0 }`), []);
  assert.deepEqual(
    problemsOf(`${HUB}limits: { writeQueueSoftBytes: 1000, writeQueueHardBytes: 1000 }`),
    [],
  );
});

test("a literal path may stand beside a parameter, in one hub or two", () => {
  const other = '  b: { service: "echo:", paths: [/a/b/c, /a] }';
  assert.deepEqual(problemsOf(hub("paths: [/, /a/:x, /a/b, /:y]") + other), []);
});

test("a hub's name may have 128 characters", () => {
  assert.deepEqual(problemsOf(`hubs: { ${"a".repeat(128)}: { service: "echo:" } }`), []);
});

test("one port may serve both families, and port 0 any number of times", () => {
  const listen =
    '[ { address: ":9000" }, { address: "[::]:9000" }, { address: ":0" }, { address: ":0" } ]';
  assert.deepEqual(problemsOf(`${HUB}listen: ${listen}`), []);
});

test("all mistakes are told at once, in the order of the file", () => {
  const problems = problemsOf(`nam: gateway
listen:
  - address: "8000"
    tls: {}
hubs:
  chat:
    servce: http://127.0.0.1:3000
    paths: [chat, /a/:x]
  chat: { service: "echo:" }
  other:
    service: \${SERVICE}
    paths: [/a/:y]
    auth: { connect: 1 }
admin: { address: ":8001" }
limits: { connectTimeoutMs: 20000, messageBytesMax: 1 }
`);
  assert.deepEqual(
    problems.map(({ line, column, path }) => `${line}:${column} ${path}`),
    [
      "1:1 nam",
      "3:14 listen[0].address",
      "4:5 listen[0].tls",
      "6:3 hubs.chat.service",
      "7:5 hubs.chat.servce",
      "8:13 hubs.chat.paths[0]",
      "9:3 hubs.chat",
      "11:14 hubs.other.service",
      "12:13 hubs.other.paths[0]",
      "13:22 hubs.other.auth.connect",
      "14:19 admin.address",
      "15:29 limits.connectTimeoutMs",
      "15:53 limits.messageBytesMax",
    ],
  );
});

test("the error's message is one line for each mistake", () => {
  assert.throws(
    () => parseConfiguration("hubs:\n  chat:\n    servce: x\n", "some/headgate.yaml", {}),
    {
      code: "HG_CONFIG_INVALID",
      message:
        "some/headgate.yaml has 2 mistakes:\n" +
        "  some/headgate.yaml:2:3: hubs.chat.service: missing; set it to text such as " +
        "http://127.0.0.1:3000/events or a mapping with url\n" +
        '  some/headgate.yaml:3:5: hubs.chat.servce: unknown key; did you mean "service"?',
    },
  );
  assert.throws(
    () => parseConfiguration(`${HUB}x: 1`, "a.yaml", {}),
    /^ConfigurationError: a\.yaml:3:1: x: /,
  );
});

test("aliases that multiply are cut off", () => {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const items = level === 0 ? Array(9).fill("x") : Array(9).fill(`*l${level - 1}`);
    return `l${level}: &l${level} [${items.join(", ")}]`;
  });
  const problems = problemsOf(`${levels.join("\n")}\n${HUB}`);
  assert.equal(problems.filter(({ message }) => message.includes("by aliases")).length, 1);
});

test("an alias within itself, deep nesting and a huge file are mistakes", () => {
  const isTooMuch = (text: string) =>
    problemsOf(text).some(({ message }) => message.startsWith("nested too deeply"));
  assert.ok(isTooMuch(`${HUB}name: &a [*a]`));
  const deep = `${"[".repeat(40)}${"]".repeat(40)}`;
  assert.ok(isTooMuch(`${HUB}name: ${deep}`));
  assert.match(problemsOf(`#${"x".repeat(2 ** 20)}`)[0]?.message ?? "", /longer than/);
});

test("a secret does not stand in a message", () => {
  const text = `${hub("signingKeys: { hunter2: 1 }")}admin: { keys: hunter2, key: "hunter 2" }`;
  for (const { message } of problemsOf(text)) assert.doesNotMatch(message, /hunter/);
});

test("a service with its URL under another key is told of that key and of the missing one", () => {
  const problems = problemsOf("hubs: { chat: { service: { uri: 'http://x' } } }");
  assert.deepEqual(
    problems.map(({ path, column }) => [path, column]),
    [
      ["hubs.chat.service.url", 17],
      ["hubs.chat.service.uri", 28],
    ],
  );
});
