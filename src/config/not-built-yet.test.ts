import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfiguration } from "./load.ts";
import { unbuiltPaths } from "./not-built-yet.ts";
import { ConfigurationError, type Problem } from "./problem.ts";

const HUB = '\nhubs: { chat: { service: "echo:" } }\n';

function hub(settings: string): string {
  return `hubs:\n  chat:\n    service: http://127.0.0.1:3000\n    ${settings}\n`;
}

function problemsOf(text: string): readonly Problem[] {
  try {
    parseConfiguration(text, "headgate.yaml", {});
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    return error.problems;
  }
  return [];
}

/** One for each row of the table or more, with ▲ before the place that the problem names. */
const UNBUILT: [path: string, text: string][] = [
  ["listen[0].tls", `${HUB}listen: [ { ▲tls: { cert: a, key: b } } ]`],
  ["listen[0].serve[1]", `${HUB}listen: [ { serve: [clients, ▲api] } ]`],
  ["publicUrls", `${HUB}▲publicUrls: [wss://a]`],
  ["trustedProxies", `${HUB}▲trustedProxies: [10.0.0.0/8]`],
  ["profile", `${HUB}▲profile: { address: 127.0.0.1:6060 }`],
  ["cluster", `${HUB}▲cluster: { nats: nats://127.0.0.1:4222 }`],
  ["hubs.chat.auth.jwt", hub("auth: { ▲jwt: { secret: a } }")],
  ["hubs.chat.dialect", hub("▲dialect: azure")],
  ["hubs.chat.dialect", hub("▲dialect: aws")],
  ["hubs.chat.dialect", hub("▲dialect: websocket-over-http")],
  ["hubs.chat.service", "hubs:\n  chat:\n    ▲service: links://127.0.0.1:7000\n"],
  ["hubs.chat.service.url", "hubs: { chat: { service: { ▲url: links://a } } }"],
  ...[
    "connectionsPerAddressMax",
    "newConnectionsPerAddressPerSecond",
    "handshakesPendingPerAddressMax",
    "newConnectionsPerSecond",
    "drainPercentPerSecond",
    "drainTimeoutMs",
  ].map((key): [string, string] => [`limits.${key}`, `${HUB}limits: { ▲${key}: 7 }`]),
  ...[
    ["messagesPerSecond", "7"],
    ["messagesBurst", "7"],
    ["bytesPerSecond", "7"],
    ["connectionsPerUserMax", "7"],
    ["connectionsPerUserPolicy", "close-oldest"],
  ].flatMap(([key, value]): [string, string][] => [
    [`limits.${key}`, `${HUB}limits: { ▲${key}: ${value} }`],
    [`hubs.chat.limits.${key}`, hub(`limits: { ▲${key}: ${value} }`)],
  ]),
];

for (const [path, marked] of UNBUILT) {
  const line = marked.split("\n").find((line) => line.includes("▲")) ?? "";
  test(`${line.trim().replace("▲", "")} is refused by name, at its place`, () => {
    const before = marked.slice(0, marked.indexOf("▲")).split("\n");
    const [problem, ...others] = problemsOf(marked.replace("▲", ""));
    assert.ok(problem !== undefined, "it was accepted");
    assert.deepEqual(others, [], "one mistake is told once");
    assert.equal(problem.path, path);
    assert.match(problem.message, /not built yet; /);
    assert.equal(problem.line, before.length);
    assert.equal(problem.column, (before.at(-1) ?? "").length + 1);
  });
}

test("every setting that is not built has its case above", () => {
  const covered = UNBUILT.map(([path]) => path.replaceAll(/\[\d+\]/g, ".*").replace(".chat", ".*"));
  assert.deepEqual([...new Set(covered)].sort(), [...new Set(unbuiltPaths)].sort());
});

test("a limit that is not built may be named with the value that it has anyway", () => {
  const text = `${hub("limits: { messagesPerSecond: 0, connectionsPerUserPolicy: refuse-newest }")}
limits: { connectionsPerAddressMax: 0, drainPercentPerSecond: 2, drainTimeoutMs: 25000 }`;
  assert.deepEqual(problemsOf(text), []);
});
