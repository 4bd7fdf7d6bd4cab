import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type ClientStory,
  type EventName,
  findViolations,
  type Promised,
  type Span,
  type Taken,
} from "./history.ts";
import { findRewritten } from "./run/stored.ts";

let clockUs = 0;

function event(name: EventName, changes: Partial<Taken> = {}): Taken {
  clockUs += 1;
  const client = name === "connect" ? "ann" : "";
  const kept = { atUs: clockUs, event: name, connectionId: "c1", id: `id-${name}` };
  return { ...kept, number: 0, saidNumber: 0, client, acknowledged: true, ...changes };
}

function message(number: number, changes: Partial<Taken> = {}): Taken {
  const said = { number, saidNumber: number, client: "ann", id: `id-${number}` };
  return event("message", { ...said, ...changes });
}

/** What is told of a client who sent three messages, all is well, and that it left. */
function good(): { taken: Taken[]; ann: ClientStory } {
  const messages = [message(1), message(2), message(3)];
  const taken = [event("connect"), event("connected"), ...messages, event("disconnected")];
  for (const one of taken) {
    clockUs += 1;
    one.atUs = clockUs;
  }
  const pushesExpected = { first: 1, last: 2 };
  const ann: ClientStory = {
    ...{ name: "ann", sent: 3, answers: [1, 2, 3], pushes: [1, 2], pushesExpected },
    end: { kind: "left" },
  };
  return { taken, ann };
}

const asOverHttp = { atLeastOnce: true, once: false, answersAcknowledge: true };
const asInStream = { atLeastOnce: true, once: true, answersAcknowledge: false };
const asOverCoreNats = { atLeastOnce: false, once: true, answersAcknowledge: false };

interface Circumstances {
  abandoned?: number;
  promised?: Promised;
  deaths?: Span[];
}

function violationsOf(taken: Taken[], ann: ClientStory, more: Circumstances = {}): string[] {
  const { abandoned = 0, promised = asOverHttp, deaths = [] } = more;
  return findViolations({ clients: [ann], taken, abandoned, promised, deaths });
}

function closedWith(reason: string, code = 1013, settled = false): ClientStory["end"] {
  return { kind: "closed", code, reason, settled };
}

describe("a history in which everything held", () => {
  test("has no violations", () => {
    const { taken, ann } = good();
    assert.deepEqual(violationsOf(taken, ann), []);
  });

  test("may have redeliveries, also late and out of their order", () => {
    const { taken, ann } = good();
    taken.splice(3, 0, message(1, { atUs: taken[2]?.atUs as number }));
    taken.push(message(2), event("connected"), event("disconnected"));
    assert.deepEqual(violationsOf(taken, ann), []);
  });

  test("may have attempts that the service failed, before the one it took", () => {
    const { taken, ann } = good();
    taken.push(message(2, { atUs: taken[3]?.atUs as number, acknowledged: false }));
    assert.deepEqual(violationsOf(taken, ann), []);
  });

  test("may lack what the gateway counted as given up, and no more", () => {
    const { taken, ann } = good();
    ann.answers = [1, 2];
    taken.splice(4, 1);
    assert.deepEqual(violationsOf(taken, ann, { abandoned: 1 }), []);
    taken.splice(-1, 1);
    assert.equal(violationsOf(taken, ann, { abandoned: 1 }).length, 1);
  });

  test("may lack what a client was told, by the count at its close", () => {
    const { taken, ann } = good();
    ann.end = closedWith("the service is not there accepted=2");
    ann.answers = [1, 2];
    taken.splice(4, 1);
    assert.deepEqual(violationsOf(taken, ann), []);
  });
});

type Spoil = (taken: Taken[], ann: ClientStory) => void;

function at(taken: Taken[], index: number): Taken {
  return taken[index] as Taken;
}

function swap(taken: Taken[], one: number, other: number): void {
  const { atUs } = at(taken, one);
  at(taken, one).atUs = at(taken, other).atUs;
  at(taken, other).atUs = atUs;
}

const bad: [string, RegExp, Spoil][] = [
  // Order.
  ["two messages change places", /message 2 .* came where 1 was to come/, (t) => swap(t, 2, 3)],
  ["a message overtakes connected", /connected .* behind its message/, (t) => swap(t, 1, 2)],
  ["disconnected overtakes a message", /behind its disconnected/, (t) => swap(t, 4, 5)],
  [
    "the gateway and the client count differently",
    /is its client's 3/,
    (t) => {
      at(t, 3).saidNumber = 3;
    },
  ],
  ["answers change places", /answer to 2 where 1's/, (_, ann) => ann.answers.splice(0, 2, 2, 1)],
  ["an answer comes twice", /answer to 1 where 2's/, (_, ann) => ann.answers.splice(1, 0, 1)],
  ["pushes change places", /push 1 behind push 2/, (_, ann) => ann.pushes.splice(0, 2, 2, 1)],
  ["a push comes twice", /push 2 twice/, (_, ann) => ann.pushes.push(2)],
  [
    "a push is missing",
    /never got push 2/,
    (_, ann) => {
      ann.pushes = [1];
      ann.end = closedWith("over accepted=3", 1012);
    },
  ],
  // Accepted.
  [
    "a redelivery has another id",
    /has ids id-2 and other/,
    (t) => t.push(message(2, { id: "other" })),
  ],
  ["an id is two events", /id id-1 is/, (t) => t.push(message(3, { id: "id-1" }))],
  ["an id comes with another payload", /id id-1 is/, (t) => t.push(message(1, { client: "bob" }))],
  ["a lifecycle event has two ids", /has ids/, (t) => t.push(event("disconnected", { id: "x" }))],
  [
    "what was answered was not acknowledged",
    /answer to 3, which no instance/,
    (t) => {
      at(t, 4).acknowledged = false;
    },
  ],
  ["there is an answer to nothing", /answer to 4, and sent 3/, (_, ann) => ann.answers.push(4)],
  // Nothing in silence.
  ["a message is missing", /message 3 of ann was lost in silence/, (t) => t.splice(4, 1)],
  [
    "a client is closed without a count",
    /without code or accepted/,
    (_, ann) => {
      ann.end = closedWith("over");
    },
  ],
  [
    "a client is closed without a close frame",
    /closed with 1006/,
    (_, ann) => {
      ann.end = closedWith("", 1006);
    },
  ],
  [
    "more is called accepted than was acknowledged",
    /told accepted=3, and no instance acknowledged 3/,
    (t, ann) => {
      t.splice(4, 1);
      ann.answers = [1, 2];
      ann.end = closedWith("gone accepted=3");
    },
  ],
  [
    "more is called accepted than was sent",
    /accepted=4, and sent 3/,
    (_, ann) => {
      ann.end = closedWith("gone accepted=4");
    },
  ],
  [
    "less is called accepted than was answered",
    /accepted=1, and got 3 answers/,
    (_, ann) => {
      ann.end = closedWith("gone accepted=1");
    },
  ],
  [
    "a close that had time tells of less than was acknowledged",
    /accepted=2, and 3 were acknowledged/,
    (_, ann) => {
      ann.answers = [1, 2];
      ann.end = closedWith("restarts accepted=2", 1012, true);
    },
  ],
  // Lifecycle.
  ["connected is missing", /connected of ann .* never came/, (t) => t.splice(1, 1)],
  ["disconnected is missing", /disconnected of ann .* never came/, (t) => t.splice(5, 1)],
  ["nobody was asked", /no instance was asked/, (t) => t.splice(0, 1)],
];

function assertFound(violations: string[], sentence: RegExp): void {
  assert.ok(
    violations.some((violation) => sentence.test(violation)),
    violations.join("\n") || "nothing was found",
  );
}

for (const [what, sentence, spoil] of bad) {
  test(`${what}: this is found`, () => {
    const { taken, ann } = good();
    spoil(taken, ann);
    assertFound(violationsOf(taken, ann), sentence);
  });
}

describe("where answers are pushes of their own", () => {
  const promised = asInStream;

  test("some may be lost, and more of them may have come than the client was told of", () => {
    const { taken, ann } = good();
    ann.answers = [1, 3];
    ann.end = closedWith("gone accepted=1");
    assert.deepEqual(violationsOf(taken, ann, { promised }), []);
  });

  test("one that comes twice or late is found", () => {
    for (const answers of [
      [1, 1],
      [2, 1],
    ]) {
      const { taken, ann } = good();
      ann.answers = answers;
      assertFound(violationsOf(taken, ann, { promised }), /got the answer to 1 where/);
    }
  });
});

describe("where an event is stored once", () => {
  test("one that is stored twice is found", () => {
    const { taken, ann } = good();
    taken.splice(4, 0, message(2, { atUs: at(taken, 3).atUs }));
    assertFound(violationsOf(taken, ann, { promised: asInStream }), /message 2 .* taken twice/);
  });

  test("what an instance read must still stand there, under its id", () => {
    const { taken } = good();
    const recorded = taken.map((one) => ({ ...one, sequence: one.atUs }));
    assert.deepEqual([...findRewritten(taken, recorded)], []);
    assertFound([...findRewritten(taken.slice(0, -1), recorded)], /was disconnected .* is gone/);
    const other = taken.map((one) => (one.number === 2 ? { ...one, id: "other" } : one));
    assertFound([...findRewritten(other, recorded)], /was message id-2, and is other/);
  });
});

describe("where nothing is promised at least once", () => {
  const promised = asOverCoreNats;

  /** Nobody took the second message; and when that was. */
  function gap(): { taken: Taken[]; ann: ClientStory; lost: Span } {
    const { taken, ann } = good();
    const [{ atUs: fromUs }, , { atUs: toUs }] = taken.slice(2) as [Taken, Taken, Taken];
    taken.splice(3, 1);
    ann.answers = [1, 3];
    return { taken, ann, lost: { fromUs, toUs } };
  }

  test("connected and disconnected may be missing", () => {
    const { taken, ann } = good();
    taken.splice(5, 1);
    taken.splice(1, 1);
    assert.deepEqual(violationsOf(taken, ann, { promised }), []);
  });

  test("a message may be missing that was counted, or was lost while a process died", () => {
    const { taken, ann, lost } = gap();
    assert.deepEqual(violationsOf(taken, ann, { promised, abandoned: 1 }), []);
    assert.deepEqual(violationsOf(taken, ann, { promised, deaths: [lost] }), []);
  });

  test("one that nobody counted, lost while no process died, is found", () => {
    const { taken, ann, lost } = gap();
    const deaths = [{ fromUs: 0, toUs: lost.fromUs - 1 }];
    assertFound(violationsOf(taken, ann, { promised, deaths }), /message 2 of ann was lost/);
    taken.splice(3, 1);
    ann.answers = [1];
    assertFound(violationsOf(taken, ann, { promised }), /message 3 of ann was lost/);
  });

  test("what was not accepted may be missing, and what was may not", () => {
    const { taken, ann } = good();
    taken.splice(4, 1);
    ann.answers = [1, 2];
    ann.end = closedWith("gone accepted=2");
    assert.deepEqual(violationsOf(taken, ann, { promised }), []);
    ann.end = closedWith("gone accepted=3");
    assertFound(violationsOf(taken, ann, { promised }), /message 3 of ann was lost/);
  });

  test("messages that change places, or come twice, are found", () => {
    const { taken, ann } = good();
    swap(taken, 2, 3);
    assertFound(violationsOf(taken, ann, { promised }), /message 1 .* where 3 was to come/);
    swap(taken, 2, 3);
    taken.splice(4, 0, message(2, { atUs: at(taken, 3).atUs }));
    assertFound(violationsOf(taken, ann, { promised }), /message 2 .* taken twice/);
  });
});
