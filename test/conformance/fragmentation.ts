/**
 * Group 5: messages in several frames, with control frames between them, and the ways to do it
 * wrongly (RFC 6455, 5.4 and 5.5).
 */
import {
  accepted,
  aTextAfterwards,
  type Chapter,
  type ConformanceCase,
  failedByHeader,
  message,
  pong,
  type Stage,
  stage,
} from "./case.ts";
import { CONTINUATION, frame, PING, PONG, TEXT } from "./frames.ts";

const parts = ["one, ", "two, ", "three, ", "four, ", "five"] as const;
const open = { fin: false };
const first = frame(TEXT, parts[0], open);
const last = frame(CONTINUATION, parts[1]);
const whole = message(TEXT, parts[0] + parts[1]);
const secondText = frame(TEXT, parts[1]);
const between = frame(PING, "between");
const HOW = ["", ", frame by frame", ", byte by byte"];

/** The same thing three times, as the numbers have it; the runner cuts each in every way. */
function thrice(
  firstNumber: number,
  make: (id: string, how: string) => ConformanceCase,
): ConformanceCase[] {
  return HOW.map((how, index) => make(`5.${firstNumber + index}`, how));
}

const twoFrames = thrice(3, (id, how) =>
  accepted(id, `a text in two frames${how}`, "echoed", () => [stage([first, last], [whole])]),
);

const pingBetween = thrice(6, (id, how) =>
  accepted(id, `a text in two frames, a ping between them${how}`, "pong, then echoed", () => [
    stage([first, between], [pong("between")]),
    stage([last], [whole]),
  ]),
);

/** 5.4: a continuation frame belongs to a message that a frame of another opcode has begun. */
function nothingToContinue(fin: boolean, number: number): ConformanceCase[] {
  const wrong = frame(CONTINUATION, "of nothing", { fin });
  const what = `a continuation frame with FIN = ${Number(fin)} that continues nothing, a text`;
  return thrice(number, (id, how) =>
    failedByHeader(id, `${what}${how}`, wrong, { rest: [aTextAfterwards] }),
  );
}

/** Nothing of the repetition is reached. */
function twiceWrong(id: string, fin: boolean): ConformanceCase {
  const wrong = frame(CONTINUATION, "of nothing", { fin });
  const wrongly = `a continuation frame with FIN = ${Number(fin)} of nothing`;
  const sentence = `${wrongly}, a text in two frames`;
  const rest = [first, last, wrong, first, last];
  return failedByHeader(id, `${sentence}; all of it twice`, wrong, { rest });
}

function fiveFrames(): Stage[] {
  const middle = (part: string) => frame(CONTINUATION, part, open);
  return [
    stage([first, middle(parts[1]), frame(PING, "first")], [pong("first")]),
    stage([middle(parts[2]), middle(parts[3]), frame(PING, "second")], [pong("second")]),
    stage([frame(CONTINUATION, parts[4])], [message(TEXT, parts.join(""))]),
  ];
}

const FIVE_OUTCOME = "each pong before the next frame is sent, then echoed";

export const fragmentation: Chapter = {
  number: "5",
  title: "Fragmentation",
  groups: [
    {
      number: "5",
      title: "Fragmentation",
      cases: [
        // 5.5: control frames "MUST NOT be fragmented".
        failedByHeader("5.1", "a ping in two frames", frame(PING, "one, ", open), { rest: [last] }),
        failedByHeader("5.2", "a pong in two frames", frame(PONG, "one, ", open), { rest: [last] }),
        ...twoFrames,
        ...pingBetween,
        ...nothingToContinue(true, 9),
        ...nothingToContinue(false, 12),
        failedByHeader(
          "5.15",
          "a text in two frames, a continuation frame with FIN = 0 that continues nothing, a text",
          frame(CONTINUATION, "of nothing", open),
          { before: stage([first, last], [whole]), rest: [aTextAfterwards] },
        ),
        twiceWrong("5.16", false),
        twiceWrong("5.17", true),
        // 5.4: fragments of one message "MUST NOT be interleaved between the fragments of another".
        failedByHeader("5.18", "a text in two frames, both with the opcode of text", secondText, {
          before: stage([first]),
        }),
        accepted("5.19", "a text in five frames, two pings between them", FIVE_OUTCOME, fiveFrames),
        accepted("5.20", "the same, frame by frame", FIVE_OUTCOME, fiveFrames),
      ],
    },
  ],
};
