import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { Readable, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { runProgram } from "./program.ts";

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

interface RunOptions {
  /** Of the environment. */
  key?: string;
  stdin?: string | Uint8Array;
  cwd?: string;
}

class Written extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, written: () => void): void {
    this.text += chunk.toString();
    written();
  }
}

/** In this process, which is somewhere else meanwhile. */
async function run(args: string[], options: RunOptions = {}): Promise<Run> {
  const stdin = Readable.from([options.stdin ?? ""], { objectMode: false });
  const [stdout, stderr] = [new Written(), new Written()];
  const env = options.key === undefined ? {} : { HEADGATE_KEY: options.key };
  const before = process.cwd();
  process.chdir(options.cwd ?? tmpdir());
  try {
    const code = await runProgram(["node", "headgate", ...args], { stdin, stdout, stderr, env });
    return { code, stdout: stdout.text, stderr: stderr.text };
  } finally {
    process.chdir(before);
  }
}

interface SeenRequest {
  line: string;
  authorization: string | undefined;
  contentType: string | undefined;
  body: string;
}

/** An admin listener that answers everything alike, and what it was asked. */
async function fakeAdmin(
  t: TestContext,
  answer: { status: number; headers?: Record<string, string>; body?: string },
): Promise<{ url: string; seen: SeenRequest[] }> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    const { authorization } = request.headers;
    const body = (await buffer(request)).toString("latin1");
    const contentType = request.headers["content-type"];
    seen.push({ line: `${request.method} ${request.url}`, authorization, contentType, body });
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const matched = { "headgate-matched": "3", "headgate-dropped": "1" };

const wrongLines: [args: string[], stderr: RegExp][] = [
  [
    ["strat"],
    /^HG_USAGE: unknown command 'strat' \(Did you mean start\?\); see headgate --help\.\n$/,
  ],
  [["drain"], /^HG_USAGE: unknown command 'drain'; see headgate --help\.\n$/],
  [["start", "--bogus"], /^HG_USAGE: unknown option '--bogus'; see/],
  [["start", "extra"], /^HG_USAGE: too many arguments for 'start'/],
  [
    ["start", "--log-level", "loud"],
    /^HG_USAGE: .*'loud' is invalid.*debug, info, warn, error; see/,
  ],
  [["start", "--service", "echo:", "--config", "x"], /^HG_USAGE: Give --config or --service/],
  [["start", "--listen", "127.0.0.1:0"], /^HG_USAGE: Without --service/],
  [["send", "--all"], /^HG_USAGE: required option '--hub <name>' not specified/],
  [["send", "--hub", "chat"], /^HG_USAGE: Say to whom/],
  [["send", "--hub", "chat", "--all", "--user", "x"], /^HG_USAGE: Say to whom/],
  [["status", "--key", "two\nlines"], /^HG_USAGE: The key holds spaces or characters outside/],
  [["status", "--admin", "nowhere"], /^HG_USAGE: --admin nowhere is no URL/],
  [["start"], /^HG_CONFIG_NOT_FOUND: There is no headgate\.yaml here/],
  [["start", "--config", "nope.yaml"], /^HG_CONFIG_NOT_FOUND: .*nope\.yaml/],
  [["status", "--config", "nope.yaml"], /^HG_CONFIG_NOT_FOUND: .*nope\.yaml/],
  [["check", "--config", "nope.yaml"], /^HG_CONFIG_NOT_FOUND: .*nope\.yaml/],
  [["start", "--service", "gopher://x"], /^HG_CONFIG_INVALID: .*--service/],
];

for (const [args, stderr] of wrongLines) {
  test(`headgate ${args.join(" ")} says what is wrong and exits with 2`, async () => {
    const result = await run(args, { cwd: makeTemporaryFolder() });
    assert.match(result.stderr, stderr);
    assert.equal(result.stdout, "");
    assert.equal(result.code, 2);
  });
}

test("without a command it shows the help on stderr and exits with 2", async () => {
  const { code, stdout, stderr } = await run([]);
  assert.match(stderr, /^Usage: headgate/);
  assert.equal(stdout, "");
  assert.equal(code, 2);
});

test("start and check tell a mistake in the configuration with its place", async () => {
  const cwd = makeTemporaryFolder({ "headgate.yaml": "hubs:\n  chat:\n    servce: http://x\n" });
  for (const command of ["start", "check"]) {
    const { code, stderr } = await run([command], { cwd });
    assert.match(stderr, /headgate\.yaml:3:5: hubs\.chat\.servce: .*"service"/);
    assert.match(stderr, /HG_CONFIG_INVALID/);
    assert.equal(code, 2);
  }
});

test("init writes a file that check finds no mistakes in, once", async () => {
  const cwd = makeTemporaryFolder();
  assert.equal((await run(["init"], { cwd })).code, 0);
  const checked = await run(["check"], { cwd });
  assert.match(checked.stdout, /^headgate\.yaml: no mistakes/);
  assert.equal(checked.code, 0);
  const again = await run(["init"], { cwd });
  assert.match(again.stderr, /^HG_FILE_EXISTS: /);
  assert.equal(again.code, 1);
});

test("send pushes stdin to whom it is told, and prints how many that were", async (t) => {
  const { url, seen } = await fakeAdmin(t, { status: 202, headers: matched });
  const targets = [["--connection", "a.b"], ["--user", "Zoë/x"], ["--group", "room 1"], ["--all"]];
  for (const target of targets) {
    const args = ["send", "--admin", url, "--hub", "chat", ...target];
    const { code, stdout } = await run(args, { stdin: "hello\n" });
    assert.equal(stdout, "matched 3, dropped 1\n");
    assert.equal(code, 0);
  }
  assert.deepEqual(
    seen.map(({ line }) => line),
    [
      "POST /api/hubs/chat/connections/a.b/:send",
      "POST /api/hubs/chat/users/Zo%C3%AB%2Fx/:send",
      "POST /api/hubs/chat/groups/room%201/:send",
      "POST /api/hubs/chat/:send",
    ],
  );
  assert.equal(seen[0]?.body, "hello\n");
  assert.equal(seen[0]?.contentType, "text/plain; charset=utf-8");
  assert.equal(seen[0]?.authorization, undefined);
});

test("send --binary pushes the bytes as they are, and tells a partial answer", async (t) => {
  const headers = { ...matched, "headgate-partial": "true" };
  const { url, seen } = await fakeAdmin(t, { status: 202, headers });
  const args = ["send", "--admin", `${url}/`, "--hub", "chat", "--all", "--binary"];
  const { stdout } = await run(args, { stdin: Uint8Array.of(0, 255, 10) });
  assert.equal(seen[0]?.body, "\x00\xff\n");
  assert.equal(seen[0]?.contentType, "application/octet-stream");
  assert.match(stdout, /^matched 3, dropped 1; not every worker answered/);
});

test("the key is the option's, else the environment's, else the configured one", async (t) => {
  const { url, seen } = await fakeAdmin(t, { status: 202, headers: matched });
  const yaml = `hubs: { chat: { service: "echo:" } }
admin: { address: "${url.replace("http://", "")}", keys: [from-file] }`;
  const cwd = makeTemporaryFolder({ "headgate.yaml": yaml });
  const key = "from-environment";
  const args = ["send", "--hub", "chat", "--all"];
  await run([...args, "--key", "from-option"], { cwd, key });
  await run(args, { cwd, key });
  await run(args, { cwd });
  assert.deepEqual(
    seen.map(({ authorization }) => authorization),
    ["Bearer from-option", "Bearer from-environment", "Bearer from-file"],
  );
});

const refusals: [status: number, body: string, stderr: RegExp][] = [
  [401, "", /^HG_ADMIN_UNAUTHORIZED: .* wants a key; give it with --key .*HEADGATE_KEY/],
  [404, '{"code":"HubNotFound","message":"No such hub."}', /^HG_ADMIN_REFUSED: .*404: No such hub/],
  [500, "<html>", /^HG_ADMIN_REFUSED: .*500: <html>/],
];

for (const [status, body, stderr] of refusals) {
  test(`a gateway that answers ${status} makes send fail with what it said`, async (t) => {
    const { url } = await fakeAdmin(t, { status, body });
    const result = await run(["send", "--admin", url, "--hub", "chat", "--all"]);
    assert.match(result.stderr, stderr);
    assert.equal(result.code, 1);
  });
}

test("a gateway that is not there makes status fail with its address", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const { code, stderr } = await run(["status", "--admin", `http://127.0.0.1:${port}`]);
  assert.match(stderr, new RegExp(`^HG_ADMIN_UNREACHABLE: .*127.0.0.1:${port}.*ECONNREFUSED`));
  assert.equal(code, 1);
});
