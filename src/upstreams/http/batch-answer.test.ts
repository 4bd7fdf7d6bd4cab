import assert from "node:assert/strict";
import { test } from "node:test";
import { BINARY, TEXT } from "../../core/opcode.ts";
import type { Outcome } from "../cloudevents/outcome.ts";
import type { EventName } from "../delivery/event.ts";
import type { BatchFault } from "./batch-answer.ts";
import { BatchAnswers } from "./batch-answer.ts";

const RESPONSE_BYTES_MAX = 12;

function answered(body: unknown, status = 200, tooBig = false): Outcome {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return { kind: "answer", status, headers: {}, body: bytes, tooBig };
}

/** The verdicts on events with these ids, and what was told to the log. */
function read(
  ids: string[],
  outcome: Outcome,
  name: EventName = "message",
  responseBytesMax = RESPONSE_BYTES_MAX,
) {
  const reports: string[] = [];
  const report = (fault: BatchFault, cause: string) => void reports.push(`${fault}: ${cause}`);
  const rules = { responseBytesMax, connectionStateBytesMax: 8, report };
  const answers = new BatchAnswers(ids, outcome, rules);
  return { verdicts: ids.map((_, position) => answers.judge(name, position)), reports };
}

/** The verdict on one message that was answered with this entry. */
function judged(entry: object) {
  const { verdicts, reports } = read(["a"], answered([{ id: "a", ...entry }]));
  const [verdict] = verdicts;
  assert.ok(verdict !== undefined);
  return { verdict, reports };
}

const replies: [string, object, number, string][] = [
  ["a string with a text type", { datacontenttype: "text/plain", data: "hi" }, TEXT, "hi"],
  ["a string without a type", { data: "hi" }, TEXT, "hi"],
  ["a string whose type is null", { datacontenttype: null, data: "hi" }, TEXT, "hi"],
  ["a string with another type", { datacontenttype: "image/x", data: "hi" }, BINARY, "hi"],
  ["a JSON string", { datacontenttype: "application/json", data: "hi" }, TEXT, '"hi"'],
  ["an object", { data: { a: 1 } }, TEXT, '{"a":1}'],
  ["an object called JSON", { datacontenttype: "Application/JSON", data: [1] }, TEXT, "[1]"],
  ["JSON by suffix", { datacontenttype: "a/b+json; c=d", data: 1 }, BINARY, "1"],
  ["false", { data: false }, TEXT, "false"],
  ["base64", { data_base64: "/wA=" }, BINARY, "\xff\0"],
  ["base64 without padding", { data_base64: "/wA" }, BINARY, "\xff\0"],
  ["base64 of a text", { datacontenttype: "text/plain", data_base64: "aMO8" }, TEXT, "hü"],
  ["an escape and an astral character", { data: "\u2028😀" }, TEXT, "\u2028😀"],
];

for (const [name, entry, opcode, text] of replies) {
  test(`${name} is one frame`, () => {
    const { verdict, reports } = judged({ status: 200, ...entry });
    assert.ok(verdict.kind === "done");
    assert.equal(verdict.reply?.opcode, opcode);
    const encoding = opcode === BINARY ? "latin1" : "utf8";
    assert.equal(Buffer.from(verdict.reply?.bytes ?? []).toString(encoding), text);
    assert.deepEqual(reports, []);
  });
}

test("data that is no string is written anew: bytes that must stay come as text or base64", () => {
  const number = '{ "n": 9007199254740993, "m": 1.0 }';
  const rest = '"id":"a","status":200,"datacontenttype":"application/json"';
  const forms: [string, string][] = [
    [`[{${rest},"data":${number}}]`, '{"n":9007199254740992,"m":1}'],
    [`[{${rest},"data_base64":"${Buffer.from(number).toString("base64")}"}]`, number],
    [`[{"id":"a","status":200,"data":${JSON.stringify(number)}}]`, number],
  ];
  for (const [body, text] of forms) {
    const { verdicts } = read(["a"], answered(Buffer.from(body)), "message", 100);
    const [verdict] = verdicts;
    assert.ok(verdict?.kind === "done");
    assert.equal(verdict.reply?.opcode, TEXT);
    assert.equal(Buffer.from(verdict.reply.bytes).toString(), text);
  }
});

for (const entry of [
  {},
  { data: "" },
  { data: null },
  { data_base64: "" },
  { data_base64: null },
]) {
  test(`${JSON.stringify(entry)} acknowledges, no more`, () => {
    const { verdict } = judged({ status: 200, ...entry });
    assert.ok(verdict.kind === "done");
    assert.equal(verdict.reply, undefined);
    assert.equal(verdict.stateChange.kind, "kept");
  });
}

const wrong: [object, RegExp][] = [
  [{ status: "200" }, /status is "200"/],
  [{}, /status is absent/],
  [{ status: 200.5 }, /status is 200.5/],
  [{ status: 99 }, /status is 99/],
  [{ status: 600 }, /status is 600/],
  [{ status: 200, datacontenttype: 7, data: "a" }, /datacontenttype is 7/],
  [{ status: 200, datacontenttype: "text/plain", data: { a: 1 } }, /data is an object/],
  [{ status: 200, data: "a", data_base64: "YQ==" }, /beside each other/],
  [{ status: 200, data_base64: 7 }, /data_base64 is 7/],
  [{ status: 200, data_base64: "Y*Q=" }, /no base64/],
  [{ status: 200, data_base64: "YQ==YQ==" }, /no base64/],
  [{ status: 200, datacontenttype: "text/plain", data_base64: "wyg=" }, /not UTF-8/],
  [{ status: 200, data: "\ud800" }, /not UTF-8/],
  [{ status: 200, data: "x".repeat(RESPONSE_BYTES_MAX + 1) }, /serviceResponseBytesMax/],
  [{ status: 200, data: "€".repeat(5) }, /serviceResponseBytesMax/],
];

for (const [entry, cause] of wrong) {
  test(`${JSON.stringify(entry).slice(0, 60)} is a failure`, () => {
    const { verdict, reports } = judged(entry);
    assert.ok(verdict.kind === "failed");
    assert.match(verdict.cause, cause);
    assert.deepEqual(reports, [`wrong: ${verdict.cause}`]);
  });
}

test("data that is nested too deeply to be written anew is a failure", () => {
  const data = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const body = Buffer.from(`[{"id":"a","status":200,"data":${data}}]`);
  const { verdicts, reports } = read(["a"], answered(body));
  const cause = "data is nested too deeply";
  assert.deepEqual(verdicts, [{ kind: "failed", cause }]);
  assert.deepEqual(reports, [`wrong: ${cause}`]);
});

test("each entry's status is judged as that of an answer of its own", () => {
  const kinds = { 204: "done", 299: "done", 302: "failed", 400: "refused", 429: "held" };
  for (const [status, kind] of Object.entries({ ...kinds, 500: "failed", 503: "held" })) {
    assert.equal(judged({ status: Number(status) }).verdict.kind, kind, status);
  }
});

test("the connection state is plain text, and may be taken away", () => {
  const changes: [unknown, object][] = [
    ["a b", { kind: "changed", connectionState: "a b" }],
    ["a%20b", { kind: "changed", connectionState: "a%20b" }],
    ["", { kind: "changed", connectionState: undefined }],
    [null, { kind: "kept" }],
  ];
  for (const [connectionstate, expected] of changes) {
    const { verdict } = judged({ status: 204, connectionstate });
    assert.deepEqual(verdict.kind === "done" && verdict.stateChange, expected);
  }
  for (const connectionstate of ["x".repeat(9), "€€€", 7, {}]) {
    const { verdict } = judged({ status: 204, connectionstate });
    assert.equal(verdict.kind === "done" && verdict.stateChange.kind, "wrong");
  }
});

test("entries may come in any order", () => {
  const entries = [
    { id: "c", status: 400 },
    { id: "a", status: 204 },
    { id: "b", status: 503 },
  ];
  const { verdicts, reports } = read(["a", "b", "c"], answered(entries));
  assert.deepEqual(
    verdicts.map(({ kind }) => kind),
    ["done", "held", "refused"],
  );
  assert.deepEqual(reports, []);
});

test("an event without an entry has no answer: it is held", () => {
  const { verdicts, reports } = read(["a", "b"], answered([{ id: "b", status: 204 }]));
  assert.deepEqual(verdicts[0], {
    kind: "held",
    reached: true,
    retryAfterMs: undefined,
    cause: "its answer to the batch has no entry for the event",
  });
  assert.equal(verdicts[1]?.kind, "done");
  assert.equal(reports.length, 1);
  assert.match(reports[0] ?? "", /^missing: /);
});

test("entries about no event of the batch acknowledge nothing, and are told", () => {
  const strange = [null, 7, "a", [], {}, { id: 7, status: 204 }, { id: "z", status: 204 }];
  const { verdicts, reports } = read(["a"], answered([...strange, { id: "a", status: 204 }]));
  assert.equal(verdicts[0]?.kind, "done");
  assert.equal(reports.length, strange.length);
  assert.ok(reports.every((report) => report.startsWith("unknown: ")));
  assert.equal(read(["a"], answered(strange)).verdicts[0]?.kind, "held");
});

test("of two entries about one event the first counts", () => {
  const entries = [
    { id: "a", status: 503 },
    { id: "a", status: 204 },
    { id: "b", status: 204 },
  ];
  const { verdicts, reports } = read(["a", "b"], answered(entries));
  assert.deepEqual(
    verdicts.map(({ kind }) => kind),
    ["held", "done"],
  );
  assert.deepEqual(reports, ['twice: "a"']);
});

const unusable: [string, Outcome, RegExp][] = [
  ["an object", answered({ id: "a", status: 204 }), /is an object, and must be an array/],
  ["null", answered(null), /is null/],
  ["nothing", answered(Buffer.alloc(0), 204), /is not JSON/],
  ["half an array", answered(Buffer.from('[{"id":"a"')), /is not JSON/],
  ["what is not UTF-8", answered(Buffer.from([0x5b, 0xff, 0x5d])), /is not UTF-8/],
  ["too much", answered([{ id: "a", status: 204 }], 200, true), /is too big/],
];

for (const [name, outcome, cause] of unusable) {
  test(`${name} acknowledges nothing: every event has failed`, () => {
    const { verdicts, reports } = read(["a", "b"], outcome);
    for (const verdict of verdicts) assert.equal(verdict.kind, "failed");
    assert.equal(reports.length, 1);
    assert.match(reports[0] ?? "", cause);
  });
}

test("what is wrong with JSON is told without what stands around it, which clients may get", () => {
  const told = (text: string) => read(["a"], answered(Buffer.from(text))).reports;
  const sentence = "unusable: its answer to the batch is not JSON: ";
  assert.deepEqual(told('[{"data":"secret"},None]'), [`${sentence}Unexpected token 'N'`]);
  assert.deepEqual(told("undefined"), [`${sentence}no value`]);
});

test("a status that is no success is the answer for every event", () => {
  for (const [status, kind] of [
    [400, "refused"],
    [500, "failed"],
    [503, "held"],
  ] as const) {
    const { verdicts, reports } = read(["a", "b"], answered([{ id: "a", status: 204 }], status));
    assert.deepEqual(
      verdicts.map((verdict) => verdict.kind),
      [kind, kind],
    );
    assert.deepEqual(reports, []);
  }
});

test("a batch that is too large has failed, and an event by itself that is has its answer", () => {
  const { verdicts } = read(["a", "b"], answered("", 413));
  assert.deepEqual(
    verdicts.map(({ kind }) => kind),
    ["failed", "failed"],
  );
  const [alone] = read(["a"], answered("", 413)).verdicts;
  assert.equal(alone?.kind, "refused");
});

test("Retry-After of the whole answer counts for every event", () => {
  const outcome = { ...answered([], 503), headers: { "retry-after": "2" } } as Outcome;
  const [verdict] = read(["a"], outcome).verdicts;
  assert.equal(verdict?.kind === "held" && verdict.retryAfterMs, 2000);
});

test("of connected and disconnected only the status is looked at", () => {
  const entries = [{ id: "a", status: 200, data: 7, data_base64: 7, connectionstate: 7 }];
  const { verdicts, reports } = read(["a"], answered(entries), "connected");
  assert.deepEqual(verdicts, [{ kind: "done", reply: undefined, stateChange: { kind: "kept" } }]);
  assert.deepEqual(reports, []);
});
