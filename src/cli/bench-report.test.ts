import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { LatencyHistogram } from "../bench/latency-histogram.ts";
import type { Measurement } from "../bench/measurement.ts";
import type { BenchOptions } from "../bench/options.ts";
import { BenchProgress } from "./bench-progress.ts";
import { benchJson, formatBench, hasErrors } from "./bench-report.ts";

function histogramOf(...durations: number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const ms of durations) histogram.record(ms, 1);
  return histogram;
}

function jsonOf(found: Measurement) {
  return JSON.parse(JSON.stringify(benchJson(found)));
}

const TO = "ws://127.0.0.1:8000/a";

function measurement(
  options: Partial<BenchOptions> = {},
  total: Partial<Measurement["total"]> = {},
): Measurement {
  return {
    options: {
      mode: "echo",
      target: { address: "127.0.0.1", port: 8000, host: "gateway.example", path: "/a" },
      ...{ connections: 1000, payloadBytes: 125, pipeline: 8, ratePerSecond: undefined },
      ...{ durationMs: 2000, warmupMs: 1000, rampPerSecond: 500, concurrency: 10, timeoutMs: 100 },
      ...{ text: false, headers: [], processes: 2, sources: undefined, sendsItself: false },
      ...options,
    },
    total: {
      ...{ opened: 1000, failed: 0, lost: 0, messages: 4000, sentBytes: 8e6, receivedBytes: 6e6 },
      ...{ pings: 3, pinged: 2, unsent: 0, errors: {}, seconds: 2, cpuSeconds: 1 },
      messagesPerSecond: 2000,
      latency: histogramOf(0.25, 1.5, 12),
      handshakes: histogramOf(1),
      lateness: histogramOf(),
      ...total,
    },
    openingSeconds: 2.04,
    pushes: undefined,
    serverCpu: undefined,
    isInterrupted: false,
  };
}

test("a measurement is a page for people", () => {
  const found = measurement();
  found.serverCpu = { userSeconds: 0.004, systemSeconds: 0.016 };
  assert.equal(
    formatBench(found),
    `echo: 1,000 connections, 125 B of binary, 8 in flight, closed loop, 2.0 s; ${TO}
connections  1,000 opened in 2.0 s, 0 failed, 0 lost
handshakes   p50 1 ms  p90 1 ms  p99 1 ms  p99.9 1 ms  max 1 ms
messages     4,000, 2,000/s
latency      p50 1.501 ms  p90 12 ms  p99 12 ms  p99.9 12 ms  max 12 ms
bytes        4.0 MB/s out, 3.0 MB/s in
generator    2 processes, 25 % of a core each
server       0.00 s user, 0.02 s system; 5.00 µs for each
errors       none
`,
  );
});

function pushesOf(made: number, refusal?: string) {
  return { made, late: 0, unsent: 0, refusal, span: histogramOf(9).summary() };
}

test("every mode tells what it measured", () => {
  const fanout = measurement({ mode: "fanout", ratePerSecond: 20, text: true });
  fanout.pushes = pushesOf(40);
  assert.match(
    formatBench(fanout),
    /^fanout: .*125 B of text, pushed at 20\/s.*\ndeliveries {3}4,000/s,
  );
  assert.match(formatBench(fanout), /\npushes {7}40, 20\/s\nto the last {2}p50 9 ms/);
  const hold = formatBench(measurement({ mode: "hold" }, { messages: 0 }));
  assert.match(
    hold,
    /^hold: 1,000 connections, open and silent.*\npings +3 answered, on 2 connections\ngenerator /s,
  );
  const spoken = formatBench(measurement({ mode: "hold" }, { messages: 5 }));
  assert.match(spoken, /\nmessages {5}5 came unasked\n/);
  const connect = formatBench(measurement({ mode: "connect", ratePerSecond: 300 }));
  assert.match(connect, /^connect: opened and closed at 300\/s, 10 at once/);
  assert.match(connect, /\nhandshakes {3}4,000, 2,000\/s\nlatency {6}p50/);
});

test("errors are told by kind, the most frequent first, and make it fail", () => {
  const found = measurement({}, { errors: { reset: 3, "closed 1013": 1200 }, lost: 1203 });
  assert.match(formatBench(found), /\nerrors {7}closed 1013 1,200, reset 3\n/);
  assert.match(formatBench(found), /\nnot whole {4}1,203 connections were lost on the way: /);
  assert.equal(jsonOf(found).isWhole, false);
  assert.doesNotMatch(formatBench(measurement()), /not whole/);
  assert.equal(jsonOf(measurement()).isWhole, true);
  assert.ok(hasErrors(found));
  assert.ok(!hasErrors(measurement()));
});

test("nothing measured is a failure, though nothing went wrong", () => {
  assert.ok(hasErrors(measurement({}, { messages: 0 })));
  assert.ok(!hasErrors(measurement({ mode: "hold" }, { messages: 0 })));
  assert.ok(hasErrors(measurement({ mode: "hold" }, { opened: 0 })));
  const nothing = measurement({}, { messages: 0, latency: histogramOf(), cpuSeconds: 4 });
  assert.match(formatBench(nothing), /\nmessages {5}none: nothing was measured\ngenerator /);
  assert.doesNotMatch(formatBench(nothing), /caution|latency/);
  assert.equal(jsonOf(nothing).isWhole, false);
});

test("figures that say more of the generator than of the server come with a caution", () => {
  assert.doesNotMatch(formatBench(measurement()), /caution/);
  const busy = measurement({}, { cpuSeconds: 3.8 });
  assert.match(formatBench(busy), /caution {6}the generator was busy/);
  const spinning = measurement({ ratePerSecond: 2000 }, { cpuSeconds: 3.8 });
  assert.doesNotMatch(formatBench(spinning), /caution/);
  const late = measurement({ ratePerSecond: 2000 }, { lateness: histogramOf(5), unsent: 7 });
  assert.match(formatBench(late), /caution {6}1 % of the messages were sent 5\.0 ms late/);
  assert.match(formatBench(late), /2,000\/s; 7 were due and never sent/);
});

test("what was due and never sent is no whole run, unless it was interrupted", () => {
  const short = measurement({ ratePerSecond: 2000 }, { unsent: 7 });
  assert.ok(hasErrors(short));
  assert.match(formatBench(short), /\nnot whole {4}7 that were due were never sent: /);
  const interrupted = { ...short, isInterrupted: true };
  assert.ok(!hasErrors(interrupted));
  assert.match(formatBench(interrupted), /\nnot whole {4}it was interrupted; 7 that were due/);
  assert.equal(jsonOf(interrupted).isWhole, false);
});

test("a rate that was not kept comes with a caution", () => {
  const slow = measurement({ ratePerSecond: 2200 });
  assert.match(formatBench(slow), /caution {6}2,000\/s of the 2,200\/s that were asked for/);
  assert.doesNotMatch(formatBench(measurement({ ratePerSecond: 2100 })), /caution/);
  const few = measurement({ ratePerSecond: 9 }, { messagesPerSecond: 1 });
  assert.doesNotMatch(formatBench(few), /caution/);
  const fanout = measurement({ mode: "fanout", ratePerSecond: 20 });
  fanout.pushes = pushesOf(20);
  assert.match(formatBench(fanout), /caution {6}10\/s of the 20\/s that were asked for/);
});

const advised: [errors: Record<string, number>, advice: RegExp][] = [
  [{ refused: 3 }, /nothing listens at 127\.0\.0\.1:8000: start the server/],
  [{ timeout: 1 }, /no answer within 0\.1 s: .*--timeout/],
  [{ "http 404": 1 }, /the server has nothing at \/a: correct the path/],
  [{ "http 401": 1 }, /--header/],
  [{ "http 503": 1 }, /takes no more/],
  [{ "http 200": 1 }, /accepts no WebSocket there \(http 200\)/],
  [{ "no upgrade": 1 }, /accepts no WebSocket there \(no upgrade\)/],
  [{ "wrong accept key": 1 }, /breaks RFC 6455/],
  [{ "Sec-WebSocket-Extensions unasked": 1 }, /breaks RFC 6455/],
  [{ "closed 1009": 1 }, /125 B are more than the server takes/],
  [{ "closed 1008": 1 }, /closed connections with this code/],
  [{ reset: 1 }, /the server let connections go/],
  [{ "not closed": 1 }, /did not answer close frames in time/],
  [{ "wrong answer": 1 }, /the service is no echo/],
  [{ "lost push": 1, "late push": 1 }, /loses pushes, or takes longer than --timeout/],
  [{ EADDRNOTAVAIL: 1 }, /use more --source/],
  [{ "opening took too long": 1 }, /a slower --ramp/],
];

for (const [errors, advice] of advised) {
  test(`${Object.keys(errors)} comes with what to do about it`, () => {
    const lines = formatBench(measurement({}, { errors })).split("\n");
    const at = lines.findIndex((line) => line.startsWith("errors "));
    assert.match(lines[at + 1] ?? "", advice);
    assert.match(lines[at + 1] ?? "", /^ {13}\S/);
  });
}

test("a run that a refused push ended says why", () => {
  const refused = measurement({ mode: "fanout" }, { errors: { "refused push": 1 } });
  refused.pushes = pushesOf(3, "no such hub");
  assert.match(formatBench(refused), /\n {13}no push was made behind this: no such hub\n/);
  assert.ok(hasErrors(refused));
});

test("where no push came at all the advice is where they are to come from", () => {
  const told = (sendsItself: boolean) =>
    formatBench(
      measurement({ mode: "fanout", sendsItself }, { errors: { "lost push": 1 }, messages: 0 }),
    );
  assert.match(told(true), /\n {13}the service has to send on what the first connection sends/);
  assert.match(told(false), /\n {13}the connections have to be in that hub and group/);
});

test("errors with the same advice have it once, and one without advice its name alone", () => {
  const same = formatBench(measurement({}, { errors: { reset: 1, ended: 2 } }));
  assert.equal(same.match(/let connections go/g)?.length, 1);
  const other = formatBench(measurement({}, { errors: { "a reserved bit": 1 } }));
  assert.match(other, /\nerrors {7}a reserved bit 1\n$/);
});

test("as JSON it holds what was asked, and every figure as a number", () => {
  const found = measurement({ ratePerSecond: 2000 }, { errors: { timeout: 1 } });
  found.serverCpu = { userSeconds: 0.004, systemSeconds: 0.016 };
  const json = jsonOf(found);
  assert.equal(json.url, "ws://gateway.example/a");
  assert.deepEqual(json.asked, {
    ...{ connections: 1000, payloadBytes: 125, pipeline: 8, ratePerSecond: 2000, processes: 2 },
    ...{ text: false, durationSeconds: 2, warmupSeconds: 1 },
  });
  assert.equal(json.messagesPerSecond, 2000);
  assert.equal(json.latencyMs.p50Ms, 1.5007);
  assert.equal(json.server.cpuUsPerMessage, 5);
  assert.equal(json.generator.cpuShare, 0.25);
  assert.deepEqual(json.errors, { timeout: 1 });
  assert.equal(json.pushes, null);
});

test("progress is a bar on a terminal, and leaves an empty line", () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true });
  const progress = new BenchProgress(stream);
  const seen = { opened: 5, failed: 1, lost: 0, messages: 0 };
  progress.show("opening", 0.5, seen);
  progress.end();
  const text = stripVTControlCharacters(String(stream.read()));
  assert.equal(text, `\r${"━".repeat(30)} 50 % opening, 5 opened, 1 failed, 0 lost\r`);
});

test("progress is a line for each phase and second anywhere else", () => {
  const stream = new PassThrough();
  const progress = new BenchProgress(stream);
  const seen = { opened: 5, failed: 0, lost: 0, messages: 9 };
  for (let index = 0; index < 5; index += 1) progress.show("opening", 0.1, seen);
  progress.show("measuring", 0.123, seen);
  progress.end();
  assert.equal(
    String(stream.read()),
    "opening: 10 %, 5 opened, 9 messages\nmeasuring: 12 %, 5 opened, 9 messages\n",
  );
});
