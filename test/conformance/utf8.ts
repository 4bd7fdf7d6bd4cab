/**
 * Group 6, the beginning: text in fragments, cut between characters and inside them, and text
 * that is not UTF-8 failing "when it finds that the byte stream is not, in fact, a valid UTF-8
 * stream" (RFC 6455, 8.1), not later. The sequences of bytes are in utf8-sequences.ts.
 */
import {
  accepted,
  type Chapter,
  type ConformanceCase,
  failed,
  failedText,
  message,
  pong,
  stage,
} from "./case.ts";
import { bytesOf, CONTINUATION, cut, cutHeader, fragments, frame, PING, TEXT } from "./frames.ts";
import { sequenceGroups, WORD } from "./utf8-sequences.ts";

const open = { fin: false };
const MIXED = "Grüße, żółw, 10 €, 𝄞 and 漢字";
/** Two pieces of it that end with a character each. */
const [BEFORE, BEHIND] = ["Grüße, żółw, ", "10 €, 𝄞 and 漢字"];

const SURROGATE = Uint8Array.of(0xed, 0xa0, 0x80);
/** U+110000, the first number behind Unicode; its second byte gives it away. */
const BEYOND_UNICODE = Uint8Array.of(0xf4, 0x90, 0x80, 0x80);
const BEGUN = bytesOf(WORD);
const ENDING = bytesOf("and more");

function emptyFrames(): ConformanceCase[] {
  const empty = frame(TEXT, "", open);
  const middle = "the only one with bytes";
  const threeEmpty = [empty, frame(CONTINUATION, "", open), frame(CONTINUATION)];
  const oneFull = [empty, frame(CONTINUATION, middle, open), frame(CONTINUATION)];
  return [
    echoed("6.1.1", "an empty text", [frame(TEXT)], ""),
    echoed("6.1.2", "a text of three empty frames", threeEmpty, ""),
    echoed("6.1.3", "a text of three frames, the first and the last empty", oneFull, middle),
  ];
}

function echoed(
  id: string,
  sentence: string,
  frames: readonly Uint8Array[],
  text: string,
): ConformanceCase {
  const stages = [stage(frames, [message(TEXT, text)])];
  return accepted(id, sentence, "echoed", () => stages);
}

function cutText(): ConformanceCase[] {
  const between = [frame(TEXT, BEFORE, open), frame(CONTINUATION, BEHIND)];
  return [
    echoed("6.2.1", "a text of characters of one to four bytes", [frame(TEXT, MIXED)], MIXED),
    echoed("6.2.2", "the same in two frames, cut between characters", between, MIXED),
    echoed("6.2.3", "the same in frames of one byte", fragments(TEXT, MIXED, 1), MIXED),
    echoed("6.2.4", "another in frames of one byte", fragments(TEXT, WORD, 1), WORD),
  ];
}

function invalidText(): ConformanceCase[] {
  const payload = Buffer.concat([BEGUN, SURROGATE, ENDING]);
  const decisiveBytes = BEGUN.length + 2;
  const single = fragments(TEXT, payload, 1);
  return [
    failedText("6.3.1", "a text with half a surrogate pair in it", payload, decisiveBytes),
    failed({
      id: "6.3.2",
      sentence: "the same in frames of one byte",
      code: 1007,
      when: `before the message's end, at byte ${decisiveBytes}`,
      decisive: single.slice(0, decisiveBytes),
      rest: single.slice(decisiveBytes),
    }),
  ];
}

/** Three frames; a ping behind the first is answered, so that one was not refused. */
function failFastInMessage(
  id: string,
  sentence: string,
  [first, second, third]: readonly [Uint8Array, Uint8Array, Uint8Array],
  decisiveBytes: number,
): ConformanceCase {
  const [decisive, secondRest] = cut(frame(CONTINUATION, second, open), 6 + decisiveBytes);
  const inside = secondRest.length > 0 ? [secondRest] : [];
  return failed({
    id,
    sentence,
    code: 1007,
    when: `before the message's end, at byte ${first.length + decisiveBytes}`,
    before: stage([frame(TEXT, first, open), frame(PING, "still there")], [pong("still there")]),
    decisive: [decisive],
    rest: [...inside, frame(CONTINUATION, third)],
  });
}

/** One frame in three chops, of which the second is the decisive one. */
function failFastInFrame(
  id: string,
  sentence: string,
  [first, second, third]: readonly [Uint8Array, Uint8Array, Uint8Array],
  decisiveBytes: number,
): ConformanceCase {
  const [header] = cutHeader(frame(TEXT, Buffer.concat([first, second, third])));
  const [begun, behind] = cut(
    frame(TEXT, Buffer.concat([first, second, third])),
    header.length + first.length,
  );
  const [decisive, rest] = cut(behind, decisiveBytes);
  return failed({
    id,
    sentence,
    code: 1007,
    when: `before the frame's end, at byte ${first.length + decisiveBytes}`,
    before: stage([begun]),
    decisive: [decisive],
    rest: [rest],
  });
}

function failFast(): ConformanceCase[] {
  const wide = [BEGUN, BEYOND_UNICODE, ENDING] as const;
  const [lead, behindLead] = cut(BEYOND_UNICODE, 1);
  const [decisive, tail] = cut(behindLead, 1);
  const narrow = [Buffer.concat([BEGUN, lead]), decisive, Buffer.concat([tail, ENDING])] as const;
  const parts = "right text, a number behind Unicode, right text";
  return [
    failFastInMessage("6.4.1", `three frames: ${parts}`, wide, 2),
    failFastInMessage("6.4.2", "three frames, the second ends with the decisive byte", narrow, 1),
    failFastInFrame("6.4.3", `one frame in three chops: ${parts}`, wide, 2),
    failFastInFrame("6.4.4", "three chops, the second ends with the decisive byte", narrow, 1),
  ];
}

export const utf8: Chapter = {
  number: "6",
  title: "UTF-8",
  groups: [
    { number: "6.1", title: "Empty frames", cases: emptyFrames() },
    { number: "6.2", title: "Text cut in frames", cases: cutText() },
    { number: "6.3", title: "Text that is not UTF-8", cases: invalidText() },
    { number: "6.4", title: "Failing at once", cases: failFast() },
    ...sequenceGroups,
  ],
};
