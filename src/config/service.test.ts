import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseConfiguration } from "./load.ts";
import { ConfigurationError } from "./problem.ts";

function hubOf(service: string, more = "") {
  const text = `hubs:\n  chat:\n    service: ${service}\n    ${more}\n`;
  const hub = parseConfiguration(text, "headgate.yaml", {}).hubs.chat;
  assert.ok(hub !== undefined);
  return hub;
}

function mistakesOf(service: string, more = ""): string[] {
  try {
    hubOf(service, more);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

test("a nats: URL is a service over core NATS that is asked before a client is let in", () => {
  const { service, auth } = hubOf("nats://127.0.0.1:4222");
  assert.deepEqual(service, {
    kind: "nats",
    servers: ["nats://127.0.0.1:4222"],
    delivery: "at-most-once",
    stream: "headgate",
    prefix: "headgate",
  });
  assert.equal(auth.connect, true);
});

test("a mapping says where else NATS is, who we are, and how events travel", () => {
  const { service } = hubOf(`
      url: nats://a.example
      servers: [nats://b.example:4333, nats://a.example]
      user: gateway
      password: secret
      tls: { ca: ca.pem, cert: cert.pem, key: key.pem }
      delivery: at-least-once
      stream: events
      prefix: shop.headgate`);
  assert.deepEqual(service, {
    kind: "nats",
    servers: ["nats://a.example", "nats://b.example:4333"],
    user: "gateway",
    password: "secret",
    tls: { ca: "ca.pem", cert: "cert.pem", key: "key.pem" },
    delivery: "at-least-once",
    stream: "events",
    prefix: "shop.headgate",
  });
});

test("a link: URL is a service's instance, and a mapping names more of them", () => {
  const { service, auth } = hubOf("link://127.0.0.1:7000");
  assert.deepEqual(service, { kind: "link", addresses: ["link://127.0.0.1:7000"] });
  assert.equal(auth.connect, true);
  const { service: several } = hubOf(`
      url: link://a.example:7000
      servers: ['link://[::1]:7001', link+unix:///run/chat.sock, link://a.example:7000]`);
  const addresses = ["link://a.example:7000", "link://[::1]:7001", "link+unix:///run/chat.sock"];
  assert.deepEqual(several, { kind: "link", addresses });
});

describe("a mistake about a service is told at its key:", () => {
  const cases: [string, string, string][] = [
    ["nats://", "service", "is no nats: URL; write it like nats://127.0.0.1:4222"],
    ["nats:a", "service", "is no nats: URL"],
    ["nats://me:secret@a", "service", "holds a user name or password; set user and password"],
    ["nats://a/b", "service", "has more than a host and a port"],
    ["link://a", "service", "with a host and a port, like link://127.0.0.1:7000"],
    ["link:a:7000", "service", "is no link: URL"],
    ["link://a:0", "service", "is no link: URL"],
    ["link://münchen.example:7000", "service", "has a host with characters that no name has"],
    ["link://me:x@a:7000", "service", "holds a user name or password"],
    ["link://a:7000/path", "service", "has more than a host and a port"],
    ["link+unix://run/a", "service", "is no path of a Unix socket"],
    ["link+unix:///run/%20", "service", "is no path of a Unix socket"],
    [`link+unix:///${"a".repeat(107)}`, "service", "is a path of 108 bytes"],
    ["{ url: link://a:1, servers: [nats://b] }", "service.servers[0]", "is no address of the kind"],
    ["{ url: link://a:1, token: x }", "service.token", "is for nats services"],
    [
      "{ url: http://a, servers: [link://b:1] }",
      "service.servers",
      "is for nats and link services",
    ],
    ["{ url: nats://a, servers: [http://b] }", "service.servers[0]", "is no nats:, link: or"],
    ["{ url: link://a:1, servers: [http://b] }", "service.servers[0]", "is no nats:, link: or"],
    ["{ url: link://a:1, servers: [links://b:1] }", "service.servers[0]", "is not built yet"],
    ["{ servers: [link://a:1] }", "service.url", "missing"],
    [
      `{ url: link://a:1, servers: [${Array.from({ length: 64 }, (_, n) => `link://b:${n + 1}`)}]}`,
      "service.servers",
      "makes more than 64 instances",
    ],
    ["{ url: nats://a, servers: [] }", "service.servers", "is empty; give it at least one"],
    ["{ url: nats://a, token: '' }", "service.token", "is empty; give it the token"],
    ["{ url: nats://a, credentials: '' }", "service.credentials", "is empty; give it a path"],
    ["{ url: nats://a, token: x, credentials: y }", "service.token", "is set beside credentials"],
    ["{ url: nats://a, user: x }", "service.user", "has no password"],
    ["{ url: nats://a, password: x }", "service.password", "has no user"],
    ["{ url: nats://a, stream: x }", "service.stream", "needs delivery: at-least-once"],
    ["{ url: nats://a, delivery: twice }", "service.delivery", "must be at-most-once or at-least"],
    ["{ url: nats://a, prefix: a..b }", "service.prefix", "must be words of letters"],
    ["{ url: nats://a, prefix: 'a.*' }", "service.prefix", "must be words of letters"],
    [
      "{ url: nats://a, delivery: at-least-once, stream: a.b }",
      "service.stream",
      "must be 1 to 128 letters",
    ],
    ["{ url: nats://a, tls: { cert: x } }", "service.tls", "needs cert and key together"],
    ["{ url: nats://127.0.0.1, tls: {} }", "service.tls", "127.0.0.1 is an address"],
    ["{ url: nats://a, servers: ['nats://[::1]'], tls: {} }", "service.tls", "::1 is an address"],
    ["{ url: nats://a, tls: { file: x } }", "service.tls.file", "unknown key"],
    ["{ url: http://a, delivery: at-least-once }", "service.delivery", "is for nats services"],
    ["{ url: 'echo:', token: x }", "service.token", "is for nats services"],
  ];
  for (const [service, path, message] of cases) {
    test(service, () => {
      const [mistake = "none", ...others] = mistakesOf(service);
      assert.ok(mistake.startsWith(`hubs.chat.${path}: `), mistake);
      assert.ok(mistake.includes(message), mistake);
      assert.deepEqual(others, []);
    });
  }
});

test("what only http services have is refused for others, and not ignored", () => {
  assert.deepEqual(mistakesOf("nats://a", "consent: on"), [
    "hubs.chat.consent: is for http services; set it to off, or remove it",
  ]);
  assert.deepEqual(mistakesOf("nats://a", "batch: on"), [
    "hubs.chat.batch: is for http services; set it to off, or remove it",
  ]);
  assert.deepEqual(mistakesOf("link://a:7000", "batch: on"), [
    "hubs.chat.batch: is for http services; set it to off, or remove it",
  ]);
});

test("a secret of the wrong type is not shown", () => {
  const [mistake = ""] = mistakesOf("{ url: nats://a, token: [hush] }");
  assert.match(mistake, /token/);
  assert.doesNotMatch(mistake, /hush/);
});
