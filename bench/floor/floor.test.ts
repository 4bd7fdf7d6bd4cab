import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Generator, type Scenario } from "./generator.ts";
import { compileFloor } from "./machine.ts";
import { floor, type Server } from "./servers.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const scenario: Scenario = { name: "test", connections: 50, payloadBytes: 40, pipeline: 4 };
const raw = { raw: true, text: false };
let binaries: ReturnType<typeof compileFloor>;
const servers: Server[] = [];

before(() => {
  binaries = compileFloor(root);
});
after(async () => {
  for (const server of servers) await server.stop();
});

async function start(options: string[] = []): Promise<Server> {
  const server = await floor(binaries.floorBinary, options).start();
  servers.push(server);
  return server;
}

/** What the generator expects: its pattern, as long as a server's frame. */
const message = Buffer.from(Array.from({ length: 42 }, (_, at) => (at * 131) & 0xff));

test("the floor echoes, and what it costs is told for each message", async () => {
  const generator = await Generator.open(binaries.loadBinary, await start(), scenario, raw);
  const run = await generator.run(0.2);
  assert.ok(run.messagesPerSecond > 0 && run.cpuUs >= 0 && run.p50Us > 0);
  await generator.close();
});

test("with --fanout what one connection sends reaches all others, and not itself", async () => {
  const server = await start(["--fanout"]);
  const generator = await Generator.open(binaries.loadBinary, server, scenario, raw);
  const sender = connect(server.port, "127.0.0.1");
  await once(sender, "connect");
  sender.once("data", () => assert.fail("it came back"));
  for (const messages of [1, 3]) {
    await generator.expect(messages, async () => {
      sender.write(Buffer.concat(Array.from({ length: messages }, () => message)));
    });
  }
  sender.destroy();
  await generator.close();
});

test("a push with a wrong byte fails, and so does one that nobody expects", async () => {
  const wrong = Buffer.from(message).fill(7, 41);
  for (const [bytes, reason] of [
    [wrong, /differs from what was sent/],
    [Buffer.concat([message, message]), /an answer to nothing/],
  ] as const) {
    const server = await start(["--fanout"]);
    const generator = await Generator.open(binaries.loadBinary, server, scenario, raw);
    const sender = connect(server.port, "127.0.0.1");
    await once(sender, "connect");
    const push = async () => {
      sender.write(bytes);
    };
    await assert.rejects(async () => {
      await generator.expect(1, push);
      await generator.expect(1, push);
    }, reason);
    sender.destroy();
  }
});
