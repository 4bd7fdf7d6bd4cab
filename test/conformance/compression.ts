/**
 * Groups 12 and 13: messages under permessage-deflate (RFC 7692), of many kinds and lengths, in
 * one frame and in many, and under different offers. The client compresses every message afresh,
 * as the answer has it, and reads with no larger window than was agreed upon.
 */
import { deflateMessage } from "../../src/websocket/codec.test.helper.ts";
import { propertyRuns } from "../support/seed.ts";
import {
  accepted,
  type Chapter,
  type ConformanceCase,
  type Extensions,
  message,
  type Stage,
  stage,
} from "./case.ts";
import { fragments, frame } from "./frames.ts";
import { kinds, messageOf, type PayloadKind } from "./payloads.ts";

/** RFC 7692, 6: "Per-Message Compressed" is the first of the reserved bits. */
const RSV1 = 4;

/** Lengths of messages, and the length of their frames, 0: of one frame. */
const SHAPES: readonly (readonly [bytes: number, frameBytes: number])[] = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map(
    (bytes) => [bytes, 0] as const,
  ),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map((bytes) => [bytes, 256] as const),
  ...[1024, 4096, 32_768].map((frameBytes) => [131_072, frameBytes] as const),
];

/** So many messages a case has that differ; a long run sends them again and again. */
const DISTINCT = 10;
export const SHORT_BYTES_MAX = 4096;
/** Messages of a case in an ordinary run and in a long one: of short messages and of others. */
export const MESSAGES = { short: [DISTINCT, 1000], others: [4, 100] } as const;
const shortCount = propertyRuns(...MESSAGES.short);
const otherCount = propertyRuns(...MESSAGES.others);

const WITHOUT_TAKEOVER = ["server_no_context_takeover", "client_no_context_takeover"];
const DEFLATE = "permessage-deflate; client_no_context_takeover; client_max_window_bits";

interface Agreement extends Extensions {
  readonly title: string;
}

function agreement(parameters: string, windowBits?: number): Agreement {
  const window = windowBits === undefined ? [] : [`server_max_window_bits=${windowBits}`];
  return {
    title: parameters === "" ? "the usual offer" : `the offer has ${parameters.slice(2)}`,
    offer: `${DEFLATE}${parameters}`,
    answer: [...WITHOUT_TAKEOVER, ...window],
    windowBits: windowBits ?? 15,
  };
}

const usual = agreement("");
const AGREEMENTS: readonly Agreement[] = [
  usual,
  agreement("; server_no_context_takeover"),
  agreement("; server_max_window_bits=9", 9),
  agreement("; server_max_window_bits=15", 15),
  agreement("; server_no_context_takeover; server_max_window_bits=9", 9),
  agreement("; server_no_context_takeover; server_max_window_bits=15", 15),
  {
    ...agreement("; server_no_context_takeover; server_max_window_bits=9", 9),
    title: "three offers, of which the first has server_max_window_bits=9",
    offer: [
      `${DEFLATE}; server_no_context_takeover; server_max_window_bits=9`,
      `${DEFLATE}; server_no_context_takeover`,
      DEFLATE,
    ].join(", "),
  },
];

/** Compressing is what takes longest, and many cases send the same messages. */
const compressed = new Map<string, readonly (readonly [plain: Buffer, deflated: Buffer])[]>();

function messagesOf({ title, opcode, corpus }: PayloadKind, bytes: number) {
  const key = `${title} ${bytes}`;
  let messages = compressed.get(key);
  if (messages === undefined) {
    const all = corpus();
    messages = Array.from({ length: DISTINCT }, (_, index) => {
      const plain = messageOf(all, opcode, bytes, index);
      return [plain, deflateMessage(plain)] as const;
    });
    compressed.set(key, messages);
  }
  return messages;
}

function* stages(kind: PayloadKind, bytes: number, frameBytes: number): Iterable<Stage> {
  const distinct = messagesOf(kind, bytes).map(([plain, deflated]) => {
    const frames =
      frameBytes === 0
        ? [frame(kind.opcode, deflated, { rsv: RSV1 })]
        : fragments(kind.opcode, deflated, frameBytes, RSV1);
    return stage(frames, [message(kind.opcode, plain)]);
  });
  const count = bytes > SHORT_BYTES_MAX ? otherCount : shortCount;
  for (let index = 0; index < count; index++) yield distinct[index % DISTINCT] as Stage;
}

function shapes(number: string, kind: PayloadKind, extensions: Extensions): ConformanceCase[] {
  return SHAPES.map(([bytes, frameBytes], index) => {
    const inFrames = frameBytes === 0 ? "" : `, in frames of ${frameBytes.toLocaleString("en")}`;
    const sentence = `messages of ${bytes.toLocaleString("en")} bytes, compressed${inFrames}`;
    const make = () => stages(kind, bytes, frameBytes);
    const id = `${number}.${index + 1}`;
    return { ...accepted(id, sentence, "all echoed", make, "compressed"), extensions };
  });
}

export const compressionOfKinds: Chapter = {
  number: "12",
  title: "Compression of different payloads",
  groups: kinds.map((kind, index) => {
    const number = `12.${index + 1}`;
    return { number, title: kind.title, cases: shapes(number, kind, usual) };
  }),
};

export const compressionAsOffered: Chapter = {
  number: "13",
  title: "Compression under different offers",
  groups: AGREEMENTS.map((extensions, index) => {
    const number = `13.${index + 1}`;
    const json = kinds[0] as PayloadKind;
    return { number, title: extensions.title, cases: shapes(number, json, extensions) };
  }),
};
