import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { findCommand, lacks } from "../../../test/interop/debian.ts";
import { makeNatsAccounts } from "../../../test/support/nats-accounts.ts";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { makeTemporaryFolder } from "../../../test/support/temporary-folder.ts";
import { until } from "../../../test/support/until.ts";
import { NatsService, startBench } from "./fixtures.test.helper.ts";

/** One that may subscribe to that alone, and one that may do anything. */
function usersOf(subject: string): string {
  return `authorization: { users: [ { user: c, password: d }, { user: a, password: b,
    permissions: { publish: ">", subscribe: "${subject}" } } ] }`;
}

describe("the connection to NATS", { skip: natsMissing }, () => {
  test("proves who it is by a token", async () => {
    const bench = await startBench({ server: { token: "secret" }, service: { token: "secret" } });
    await bench.untilReady();
  });

  test("proves who it is by a user and a password", async () => {
    const login = { user: "gateway", password: "secret" };
    await (await startBench({ server: login, service: login })).untilReady();
  });

  test("proves who it is by a credentials file, which may come later", async () => {
    const { configuration, credentials } = makeNatsAccounts();
    const file = join(makeTemporaryFolder(), "gateway.creds");
    const bench = await startBench({ server: { configuration }, service: { credentials: file } });
    await bench.log.find(/NATS cannot be reached/);
    assert.ok(bench.log.has("warn", "ENOENT"));
    writeFileSync(file, credentials);
    await bench.untilReady();
    // Gone again, it is missed at the next connection, and that is not the end either.
    rmSync(file);
    await bench.server.kill();
    await bench.server.restart();
    await bench.log.find(/was given up; another is made/);
    writeFileSync(file, credentials);
    await bench.untilReady();
  });

  test("is tried again for ever when it is refused, and the log says why", async () => {
    const bench = await startBench({ server: { token: "secret" }, service: { token: "wrong" } });
    await until(() => bench.upstream.counts().incidents.error >= 6);
    assert.ok(bench.log.has("error", "Authorization Violation"));
    const told = await bench.log.find(/NATS does not let us in/);
    assert.equal(told.length, 1, "once for each cause");
    for (const level of ["warn", "error"] as const) {
      assert.ok(!bench.log.has(level, "wrong"), "a secret is not logged");
    }
    assert.equal(bench.upstream.counts().isDown, true);
  });

  test("that a server refuses when it is back is one loss, and told once", async () => {
    const folder = makeTemporaryFolder({ "token.conf": "authorization: { token: first }" });
    // The server takes the path as one from its own file's folder, which is beside this one.
    const configuration = `include "../${basename(folder)}/token.conf"`;
    const server = await NatsServer.start({ configuration });
    const bench = await startBench({ server, service: { token: "first" } });
    await bench.untilReady();
    writeFileSync(join(folder, "token.conf"), "authorization: { token: second }");
    await server.kill();
    await server.restart();
    await until(() => bench.upstream.counts().incidents.error >= 4);
    assert.equal((await bench.log.find(/NATS does not let us in/)).length, 1);
    assert.equal((await bench.log.find(/the connection to NATS was lost/)).length, 1);
    assert.ok(!bench.log.has("error", "NATS reports an error"));
    assert.equal(bench.upstream.counts().incidents.disconnect, 1);
  });

  test("comes about when the server starts after the gateway", async () => {
    const server = await NatsServer.start();
    await server.kill();
    const bench = await startBench({ server });
    await bench.log.find(/NATS cannot be reached/);
    bench.open(1);
    bench.say(1, "early");
    await server.restart();
    await bench.untilReady();
    await until(() => bench.sink.count("acknowledged", 1) === 1);
  });

  test("is tried less and less often while there is none, every 2 s at the latest", async () => {
    for (const isLost of [false, true]) {
      const server = await NatsServer.start();
      const bench = isLost ? await startBench({ server }) : undefined;
      await bench?.untilReady();
      await server.kill();
      const atMs: number[] = [];
      const listener = createServer((socket) => {
        atMs.push(performance.now());
        socket.destroy();
      });
      listener.listen(server.port, "127.0.0.1");
      if (!isLost) await startBench({ server });
      await until(() => atMs.length >= 8, "8 attempts").finally(() => listener.close());
      const gaps = atMs.slice(1, 8).map((ms, index) => ms - (atMs[index] as number));
      // The shorter of two: a machine that stands still for a moment lengthens one.
      assert.ok(Math.min(...gaps.slice(-2)) > 900, `less often: ${gaps}`);
      assert.ok(Math.min(...gaps.slice(-2)) < 2000, `often enough: ${gaps}`);
    }
  });

  test("is made again when the server ends it for reading too slowly", async () => {
    const configuration = "max_pending: 100000\nmax_payload: 50000";
    const bench = await startBench({ server: { configuration } });
    const service = await NatsService.start(bench.server);
    await bench.untilReady();
    // The server writes down who was slow; to us it is a connection that ends.
    const push = "x".repeat(50_000);
    await until(() => {
      for (let index = 0; index < 100; index += 1) service.push("all", push);
      return bench.upstream.counts().incidents.disconnect > 0;
    });
    assert.ok(bench.log.has("warn", "the connection to NATS was lost"));
    await service.connection.flush();
    await bench.untilReady();
    assert.ok(bench.upstream.counts().incidents.reconnect > 0);
    const { unusable } = bench.upstream.counts().pushes;
    assert.ok(unusable > 0, "these are over pushBytesMax");
    await until(() => {
      if (bench.sink.count("execute") === 0) service.push("all", "in time");
      return bench.sink.count("execute") > 0;
    });
  });

  test("goes to another server of the list when one is gone", async () => {
    const [first, second] = [await NatsServer.start(), await NatsServer.start()];
    const bench = await startBench({
      server: first,
      service: { servers: [first.url, second.url] },
    });
    await bench.untilReady();
    await first.kill();
    await second.kill();
    await until(() => bench.upstream.counts().isDown);
    await second.restart();
    await bench.untilReady();
  });

  test("reports what the server forbids, and goes on", async () => {
    const configuration = `authorization: { users: [ { user: a, password: b,
      permissions: { publish: ">", subscribe: { deny: "headgate.push.>" } } } ] }`;
    const login = { user: "a", password: "b" };
    const bench = await startBench({ server: { configuration }, service: login });
    await bench.log.find(/does not let us subscribe to pushes/);
    await bench.untilReady();
  });

  test("gets pushes once it may subscribe to them, behind a reconnection too", async () => {
    const folder = makeTemporaryFolder({ "users.conf": usersOf("nothing") });
    const configuration = `include "../${basename(folder)}/users.conf"`;
    const server = await NatsServer.start({ configuration });
    const bench = await startBench({ server, service: { user: "a", password: "b" } });
    await bench.log.find(/does not let us subscribe to pushes/);
    await bench.untilReady();
    writeFileSync(join(folder, "users.conf"), usersOf("headgate.push.>"));
    await server.kill();
    await server.restart();
    await until(() => bench.upstream.counts().incidents.reconnect === 1);
    await bench.untilReady();
    const service = await server.connect({ user: "c", pass: "d" });
    service.publish("headgate.push.chat.all", "hello");
    await until(() => bench.sink.count("execute") === 1);
  });

  test("is encrypted where a certificate authority is given", {
    skip: lacks("NATS over TLS", [["openssl", "openssl"]]),
  }, async () => {
    const folder = makeTemporaryFolder();
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject];
    execFileSync(findCommand("openssl") as string, [...made, "-keyout", key, "-out", cert], {
      stdio: "ignore",
    });
    const server = await NatsServer.start({
      configuration: `tls { cert_file: "${cert}", key_file: "${key}" }`,
    });
    const servers = [`nats://localhost:${server.port}`];
    const bench = await startBench({ server, service: { servers, tls: { ca: cert } } });
    await bench.untilReady();
    const stranger = await startBench({ server, service: { servers } });
    await stranger.log.find(/NATS cannot be reached/);
    const plain = await startBench({ service: { tls: { ca: cert } } });
    await plain.log.find(/NATS cannot be reached/);
    assert.ok(plain.log.has("warn", "tls"), "it asks for encryption, or does not connect");
  });
});
