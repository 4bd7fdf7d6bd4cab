/** Who may call: by key, and without keys by where the call comes from. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { request } from "undici";
import { Authorization } from "./authorization.ts";
import { startAdmin } from "./fixture.test.helper.ts";
import { Fault } from "./outcome.ts";

const REFUSED_WITH_401: [string, string | undefined, RegExp][] = [
  ["no key", undefined, /missing/],
  ["a wrong key", "Bearer wrong", /wrong/],
  ["an empty key", "Bearer ", /Only keys/],
  ["the beginning of a key", "Bearer secre", /wrong/],
  ["a key and more", "Bearer secret secret", /Only keys/],
  ["another scheme", "Basic c2VjcmV0", /Only keys/],
  ["a JWT", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", /JSON Web Tokens are not accepted yet/],
  ["SigV4", "AWS4-HMAC-SHA256 Credential=AKID/2026", /Signature Version 4 is not accepted yet/],
];

for (const [what, authorization, sentence] of REFUSED_WITH_401) {
  test(`with keys, ${what} is refused with 401 and a challenge`, async (t) => {
    const { bus, url } = await startAdmin(t, { keys: ["secret", "other"] });
    for (const path of ["/status", "/openapi.json", "/", "/metrics", "/unknown"]) {
      const headers = authorization === undefined ? {} : { authorization };
      const response = await request(url + path, { headers });
      assert.equal(response.statusCode, 401, path);
      assert.equal(response.headers["www-authenticate"], "Bearer");
      const error = (await response.body.json()) as { message: string };
      assert.match(error.message, sentence);
    }
    assert.deepEqual(bus.commands, []);
  });
}

test("each of the keys is accepted, under any host name and from any origin", async (t) => {
  const { url } = await startAdmin(t, { keys: ["secret", "other"] });
  for (const authorization of ["Bearer secret", "Bearer other", "bearer  secret"]) {
    const headers = { authorization, host: "gateway.example", origin: "https://app.example" };
    const response = await request(`${url}/status`, { headers });
    await response.body.dump();
    assert.equal(response.statusCode, 200, authorization);
  }
});

test("health and readiness need neither key nor a loopback host", async (t) => {
  for (const keys of [["secret"], []]) {
    const { url } = await startAdmin(t, { keys });
    for (const path of ["/healthz", "/readyz", "/api/health"]) {
      const response = await request(url + path, { headers: { host: "gateway.example" } });
      await response.body.dump();
      assert.equal(response.statusCode, 200, path);
    }
  }
});

test("without keys, another host name or a foreign origin is refused with 403", async (t) => {
  const { bus, host, port, url } = await startAdmin(t);
  const own = `${host}:${port}`;
  const foreign: Record<string, string>[] = [
    { host: "evil.example" },
    { host: `evil.example:${port}` },
    { host: "localhost.evil.example" },
    { host: "127.0.0.1.evil.example" },
    { host: "10.0.0.1" },
    { host: own, origin: "https://evil.example" },
    { host: own, origin: "http://127.0.0.1:1" },
    { host: own, origin: `https://${own}` },
    { host: own, origin: "null" },
  ];
  for (const headers of foreign) {
    const response = await request(`${url}/api/hubs/chat/:closeConnections`, {
      method: "POST",
      headers,
    });
    assert.equal(response.statusCode, 403, JSON.stringify(headers));
    const error = (await response.body.json()) as { code: string; message: string };
    assert.equal(error.code, "Forbidden");
    assert.match(error.message, /set a key/);
  }
  assert.deepEqual(bus.commands, []);
});

test("without keys, loopback names and the own origin are accepted", () => {
  const authorization = new Authorization([]);
  for (const host of ["localhost", "LOCALHOST:8001", "127.0.0.1:8001", "127.1.2.3", "[::1]:8001"]) {
    assert.equal(authorization.check({}, host), undefined, host);
    assert.equal(authorization.check({ origin: `http://${host}` }, host), undefined, host);
  }
  assert.ok(authorization.check({}, "") instanceof Fault, "a request without Host");
});
