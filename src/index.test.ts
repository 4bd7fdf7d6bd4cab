import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import WebSocket from "ws";
import { createGateway, HeadgateError } from "./index.ts";

test("a gateway runs inside another program, takes clients and stops", async () => {
  const gateway = await createGateway({
    listen: [{ address: "127.0.0.1:0" }],
    hubs: { echo: { paths: ["/"], service: "echo:" } },
    admin: { address: "127.0.0.1:0" },
  });
  const client = new WebSocket(`ws://127.0.0.1:${gateway.addresses[0]?.port}/`);
  await once(client, "open");
  client.send("hello");
  assert.equal(String((await once(client, "message"))[0]), "hello");
  const { workers, admin, ready } = gateway.status();
  assert.equal(ready, true);
  assert.equal(workers.length, 1);
  assert.deepEqual(admin, gateway.admin);
  const [[closeCode]] = await Promise.all([once(client, "close"), gateway.stop()]);
  assert.equal(closeCode, 1012);
  assert.equal(gateway.status().workers[0]?.state, "stopped");
});

test("a configuration that does not hold rejects with all of its mistakes", async () => {
  const input = { hubs: { "1": { service: "gopher://x" } } };
  await assert.rejects(createGateway(input), (error: HeadgateError & { problems: unknown[] }) => {
    assert(error instanceof HeadgateError);
    assert.equal(error.code, "HG_CONFIG_INVALID");
    assert.equal(error.problems.length, 2);
    return true;
  });
});

test("a configuration file is named by its path", async () => {
  await assert.rejects(createGateway("there-is-none.yaml"), { code: "HG_CONFIG_NOT_FOUND" });
});
