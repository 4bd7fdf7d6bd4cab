import assert from "node:assert/strict";
import { test } from "node:test";
import { type BenchCommand, readBenchOptions, readServerPids } from "./bench-options.ts";

const URL = "ws://127.0.0.1:8000/a?b=c";

function read(command: Partial<BenchCommand> = {}, url = URL, descriptorLimit = 20_000) {
  return readBenchOptions(url, { mode: "echo", ...command }, descriptorLimit);
}

test("what is not said is small, and over in seconds", async () => {
  const { target, ...options } = await read();
  assert.deepEqual(target, {
    ...{ address: "127.0.0.1", port: 8000, host: "127.0.0.1:8000", path: "/a?b=c" },
  });
  assert.deepEqual(options, {
    ...{ mode: "echo", connections: 100, payloadBytes: 125, pipeline: 1, concurrency: 100 },
    ...{ ratePerSecond: undefined, durationMs: 10_000, warmupMs: 1000, rampPerSecond: 5000 },
    ...{ timeoutMs: 10_000, text: false, headers: [], processes: 1, sources: undefined },
    sendsItself: false,
  });
});

test("what is said is taken, in its unit", async () => {
  const options = await read({
    ...{ mode: "fanout", connections: "7", duration: "1.5", rate: "0.5", timeout: "2" },
    ...{ text: true, header: ["Origin: http://a"], source: ["127.0.0.9"], processes: "3" },
  });
  assert.equal(options.durationMs, 1500);
  assert.equal(options.ratePerSecond, 0.5);
  assert.equal(options.timeoutMs, 2000);
  assert.equal(options.warmupMs, 0);
  assert.equal(options.processes, 3);
  assert.deepEqual(options.headers, ["Origin: http://a"]);
  assert.deepEqual(options.sources, ["127.0.0.9"]);
  assert.equal(options.sendsItself, true);
  assert.equal((await read({ mode: "fanout", hub: "chat" })).sendsItself, false);
});

test("a push has room for its number and time, however small it is asked for", async () => {
  assert.equal((await read({ mode: "fanout", payload: "1" })).payloadBytes, 32);
});

test("there are as many processes as the limit of open files needs, and no idle ones", async () => {
  assert.equal((await read({ connections: "100000" })).processes, 6);
  assert.equal((await read({ connections: "100000", processes: "2" })).processes, 6);
  assert.equal((await read({ connections: "2", processes: "8" })).processes, 2);
  assert.equal((await read({ concurrency: "100", mode: "connect" })).processes, 1);
  await assert.rejects(read({ connections: "1000000" }, URL, 1024), {
    code: "HG_USAGE",
    message: /need 1043 processes, and 64 are the most/,
  });
  await assert.rejects(read({}, URL, 64), {
    code: "HG_USAGE",
    message: /The limit of open files is 64, and each process needs \d+ at the least/,
  });
});

test("the host's name is resolved, and stays in the Host header", async () => {
  const { target } = await read({}, "ws://localhost");
  assert.ok(["127.0.0.1", "::1"].includes(target.address));
  assert.deepEqual([target.host, target.port, target.path], ["localhost", 80, "/"]);
  const six = await read({}, "ws://[::1]:9/");
  assert.deepEqual([six.target.address, six.target.host], ["::1", "[::1]:9"]);
});

test("a host that is not there is told as such", async () => {
  await assert.rejects(read({}, "ws://no-such-host.invalid/"), { code: "HG_BENCH_HOST" });
});

const mistakes: [command: Partial<BenchCommand>, url: string, message: RegExp][] = [
  [{ connections: "0" }, URL, /--connections 0 is not a whole number from 1 to 1000000/],
  [{ connections: "1000001" }, URL, /--connections/],
  [{ connections: "1.5" }, URL, /--connections/],
  [{ connections: "-1" }, URL, /--connections/],
  [{ duration: "3601" }, URL, /--duration 3601 is not a number from 0.1 to 3600/],
  [{ duration: "long" }, URL, /--duration/],
  [{ rate: "0" }, URL, /--rate/],
  [{ rate: "1e9" }, URL, /--rate/],
  [{ payload: "1048576", pipeline: "17" }, URL, /--payload times --pipeline/],
  [{ mode: "hold", warmup: "1" }, URL, /--warmup is for --mode echo, and means nothing in hold/],
  [{ mode: "hold", rate: "5" }, URL, /--rate is for --mode echo or fanout or connect/],
  [{ mode: "hold", text: true }, URL, /--text is for/],
  [{ mode: "fanout", pipeline: "2" }, URL, /--pipeline is for --mode echo/],
  [{ mode: "connect", connections: "5" }, URL, /--connections is for/],
  [{ mode: "connect", payload: "5" }, URL, /--payload is for/],
  [{ hub: "chat" }, URL, /--hub is for --mode fanout/],
  [{ group: "chat" }, URL, /--group is for --mode fanout/],
  [{ source: ["here"] }, URL, /--source here/],
  [{ header: ["no colon"] }, URL, /--header/],
  [{ header: ["X: a\r\nY: b"] }, URL, /--header/],
  [{}, "http://127.0.0.1/", /no URL such as ws:/],
  [{}, "127.0.0.1:8000", /no URL such as ws:/],
  [{}, "ws://a@127.0.0.1/", /no URL such as ws:/],
  [{}, "wss://127.0.0.1/", /wss: is not measured/],
];

for (const [command, url, message] of mistakes) {
  test(`${JSON.stringify(command)} for ${url} is refused with what is wrong`, async () => {
    await assert.rejects(read(command, url), { code: "HG_USAGE", message });
  });
}

test("processes of the server are named by numbers", () => {
  assert.deepEqual(readServerPids({ mode: "echo", serverPid: ["12", "345"] }), [12, 345]);
  assert.deepEqual(readServerPids({ mode: "echo" }), []);
  for (const text of ["0", "-1", "self", "1.5"]) {
    assert.throws(() => readServerPids({ mode: "echo", serverPid: [text] }), { code: "HG_USAGE" });
  }
});
