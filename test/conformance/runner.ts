/**
 * Runs one case over a socket and judges it: what came must be what the case says, no more, in
 * that order, and the gateway must have ended the connection. It throws where that is not so.
 */
import assert from "node:assert/strict";
import type { ConformanceCase, Received } from "./case.ts";
import { ConformanceClient } from "./client.ts";
import {
  AS_SENT,
  ByteCutter,
  byFrames,
  type Delivery,
  join,
  SINGLE_BYTES,
  splitAtRandom,
  WHOLE,
} from "./delivery.ts";
import type { ServerFrame } from "./frame-reader.ts";
import { CLOSE, PONG } from "./frames.ts";

/** RFC 6455, 7.4.1: what a close frame without a code is said to have. */
const NO_CODE = 1005;

export async function runCase(
  each: ConformanceCase,
  delivery: Delivery,
  port: number,
  random: () => number,
): Promise<void> {
  const client = await ConformanceClient.open(port, each.extensions);
  try {
    const judge = new Judge(client);
    if (delivery === AS_SENT || delivery === SINGLE_BYTES) {
      await sendStages(each, delivery, client, judge);
    } else {
      await sendAtOnce(each, delivery, client, judge, random);
    }
    await client.finish();
    judge.checkOver();
  } finally {
    client.destroy();
  }
}

/** Each stage is sent only when all that the one before it must lead to has come. */
async function sendStages(
  each: ConformanceCase,
  delivery: Delivery,
  client: ConformanceClient,
  judge: Judge,
): Promise<void> {
  const cutter = new ByteCutter();
  for (const stage of each.stages()) {
    const pieces = delivery === AS_SENT ? byFrames(stage) : cutter.cut(stage);
    for (const piece of pieces) await client.write(piece);
    await judge.await(stage.receives);
  }
}

async function sendAtOnce(
  each: ConformanceCase,
  delivery: Delivery,
  client: ConformanceClient,
  judge: Judge,
  random: () => number,
): Promise<void> {
  const stages = [...each.stages()];
  const stream = join(stages);
  const pieces = delivery === WHOLE ? [stream] : splitAtRandom(stream, random);
  for (const piece of pieces) await client.write(piece);
  for (const { receives } of stages) await judge.await(receives);
}

/** Compares what came with what must come, frame by frame. */
class Judge {
  readonly #client: ConformanceClient;
  #judged = 0;
  #messages = 0;

  constructor(client: ConformanceClient) {
    this.#client = client;
  }

  async await(receives: readonly Received[]): Promise<void> {
    for (const expected of receives) {
      await this.#client.receive(this.#judged + 1);
      const frame = this.#client.frames[this.#judged];
      assert.ok(frame !== undefined, `the stream ended before: ${describeReceived(expected)}`);
      this.#judged += 1;
      this.#compare(frame, expected);
    }
  }

  checkOver(): void {
    const more = this.#client.frames.slice(this.#judged).map(describeFrame);
    assert.deepEqual(more, [], "nothing else came");
  }

  #compare(frame: ServerFrame, expected: Received): void {
    assert.equal(describeFrame(frame), describeReceived(expected));
    if (expected.kind === "failed") this.#checkReason(frame.payload);
    else if (expected.kind === "answered") assert.ok(frame.payload.length <= 2, "no reason");
    else assert.ok(Buffer.from(expected.payload).equals(frame.payload), "the payload is the same");
    if (expected.kind === "message") this.#messages += 1;
  }

  /** A reason is text of 123 bytes at the most; ours ends with how many messages were accepted. */
  #checkReason(payload: Uint8Array): void {
    const reason = new TextDecoder("utf-8", { fatal: true }).decode(payload.subarray(2));
    assert.match(reason, new RegExp(`^\\S.* accepted=${this.#messages}$`));
  }
}

function describeFrame({ opcode, payload }: ServerFrame): string {
  if (opcode === PONG) return `a pong of ${payload.length} bytes`;
  if (opcode !== CLOSE) return `a message of opcode ${opcode} and ${payload.length} bytes`;
  assert.notEqual(payload.length, 1, "a close frame has half a code");
  return `a close frame with ${payload.length === 0 ? NO_CODE : codeOf(payload)}`;
}

function codeOf(payload: Uint8Array): number {
  return ((payload[0] as number) << 8) | (payload[1] as number);
}

function describeReceived(expected: Received): string {
  if (expected.kind === "pong") return `a pong of ${expected.payload.length} bytes`;
  if (expected.kind !== "message") return `a close frame with ${expected.code}`;
  return `a message of opcode ${expected.opcode} and ${expected.payload.length} bytes`;
}
