/**
 * The shape of a conformance case: data about what a client sends, in stages, and what it must
 * read. A case has one outcome and no alternatives; how its bytes are cut is the runner's.
 */
import { bytesOf, CLOSE, closeFrame, cut, cutHeader, frame, PING, TEXT } from "./frames.ts";

export type Received =
  | { readonly kind: "message"; readonly opcode: number; readonly payload: Uint8Array }
  | { readonly kind: "pong"; readonly payload: Uint8Array }
  /** The answer to the client's close frame; 1005: without a code, as the client's was. */
  | { readonly kind: "answered"; readonly code: number }
  /** The gateway fails the connection. */
  | { readonly kind: "failed"; readonly code: number };

export interface Stage {
  /** Frames, or parts of frames where a stage ends inside one. */
  readonly sends: readonly Uint8Array[];
  /** All that comes before the next stage is sent, when the stages are sent apart. */
  readonly receives: readonly Received[];
}

export type HubName = "default" | "large" | "compressed";

export interface ConformanceCase {
  /** The number that the Autobahn test suite has for the same situation. */
  readonly id: string;
  /** What is sent. */
  readonly sentence: string;
  readonly outcome: string;
  /** Which hub it connects to: with default limits, with larger messages, or compressing. */
  readonly hub: HubName;
  readonly extensions: Extensions | undefined;
  /** Made anew for each run: some have many megabytes. The last stage closes the connection. */
  readonly stages: () => Iterable<Stage>;
}

/** An offer of extensions, and the parameters that the answer has, in any order. */
export interface Extensions {
  readonly offer: string;
  readonly answer: readonly string[];
  /** The largest window that the gateway may compress with. */
  readonly windowBits: number;
}

interface Group {
  readonly number: string;
  readonly title: string;
  readonly cases: readonly ConformanceCase[];
}

/** A group's cases under sub-headings, as the page has them. */
export interface Chapter {
  readonly number: string;
  readonly title: string;
  readonly groups: readonly Group[];
}

const NORMAL_CLOSURE = 1000;

/** The client ends it in order: the usual last stage. */
export const normalClosure: Stage = {
  sends: [closeFrame(NORMAL_CLOSURE)],
  receives: [{ kind: "answered", code: NORMAL_CLOSURE }],
};

export function message(opcode: number, payload: Uint8Array | string): Received {
  return { kind: "message", opcode, payload: bytesOf(payload) };
}

export function pong(payload: Uint8Array | string = ""): Received {
  return { kind: "pong", payload: bytesOf(payload) };
}

/** Everything is right: these frames get these answers, and the client closes. */
export function accepted(
  id: string,
  sentence: string,
  outcome: string,
  stages: () => Iterable<Stage>,
  hub: HubName = "default",
): ConformanceCase {
  function* closing() {
    yield* stages();
    yield normalClosure;
  }
  return { id, sentence, outcome, hub, extensions: undefined, stages: closing };
}

export function stage(sends: readonly Uint8Array[], receives: readonly Received[] = []): Stage {
  return { sends, receives };
}

interface Failure {
  id: string;
  sentence: string;
  code: number;
  /** What the page says behind the code: when it is certain. */
  when: string;
  /** What goes well before it. */
  before?: Stage;
  /** The first of the bytes that are wrong, up to the one with which that is certain. */
  decisive: readonly Uint8Array[];
  /** What the client would send behind it, of which nothing may be heeded. */
  rest: readonly Uint8Array[];
}

/** The gateway fails the connection, before the rest was sent. */
export function failed(failure: Failure): ConformanceCase {
  const { id, sentence, code, when, before, decisive, rest } = failure;
  const messages = before?.receives.filter(({ kind }) => kind === "message").length ?? 0;
  const prelude = messages > 0 ? "echoed, then " : "";
  const stages = [
    ...(before === undefined ? [] : [before]),
    stage(decisive, [{ kind: "failed", code }]),
    stage(rest),
  ];
  return {
    id,
    sentence,
    outcome: `${prelude}${code} ${when}`,
    hub: "default",
    extensions: undefined,
    stages: () => stages,
  };
}

/** One frame is wrong, which its header tells; what follows it is not heeded. */
export function failedByHeader(
  id: string,
  sentence: string,
  wrong: Uint8Array,
  { before, rest = [] }: { before?: Stage; rest?: readonly Uint8Array[] } = {},
): ConformanceCase {
  const [header, payload] = cutHeader(wrong);
  const parts = payload.length > 0 ? [payload, ...rest] : rest;
  const when = "at the end of its header";
  const failure = { id, sentence, code: 1002, when, decisive: [header], rest: parts };
  return failed(before === undefined ? failure : { ...failure, before });
}

/** A text message whose payload stops being UTF-8 with byte `decisiveBytes`, in one frame. */
export function failedText(
  id: string,
  sentence: string,
  payload: Uint8Array,
  decisiveBytes: number,
): ConformanceCase {
  const bytes = frame(TEXT, payload);
  const [decisive, rest] = cut(bytes, bytes.length - payload.length + decisiveBytes);
  const inside = rest.length > 0;
  const when = inside ? `before the frame's end, at byte ${decisiveBytes}` : "at the frame's end";
  const parts = inside ? [rest] : [];
  return failed({ id, sentence, code: 1007, when, decisive: [decisive], rest: parts });
}

/** The client closes, rightly; whatever it sends behind that is not heeded. */
export function closed(
  id: string,
  sentence: string,
  code: number,
  sends: readonly Uint8Array[],
  rest: readonly Uint8Array[] = [],
): ConformanceCase {
  const stages = [stage(sends, [{ kind: "answered", code }]), stage(rest)];
  const outcome = code === 1005 ? "answered, without a code" : `answered with ${code}`;
  return { id, sentence, outcome, hub: "default", extensions: undefined, stages: () => stages };
}

export const aPing = frame(PING);
export const aTextAfterwards = frame(TEXT, "not to be heeded");
export const anEmptyClose = frame(CLOSE);
