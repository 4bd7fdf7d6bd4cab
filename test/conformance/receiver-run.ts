/**
 * One case's stream through the receiver alone, byte by byte or in pieces, with no socket: what
 * it reports, at which byte, and what memory the unfinished message has meanwhile. Unmasking and
 * inflating are stand-ins in TypeScript; the addon is what cases meet over sockets.
 */
import assert from "node:assert/strict";
import { ZlibCodec } from "../../src/websocket/codec.test.helper.ts";
import { Inflation } from "../../src/websocket/inflation.ts";
import { naiveUnmask } from "../../src/websocket/receiver.test.helper.ts";
import {
  CLOSE,
  MESSAGE,
  MORE,
  PING,
  PONG,
  Receiver,
  VIOLATION,
} from "../../src/websocket/receiver.ts";
import type { UnfinishedMessage } from "../../src/websocket/unfinished-message.ts";
import type { Received, Stage } from "./case.ts";
import { LARGE_MESSAGE_BYTES } from "./hubs.ts";

/** The gateway's defaults. */
const LIMITS = { framesPerMessageMax: 131_072, emptyFramesPerMessageMax: 1024 };

export class ReceiverRun {
  /** Bytes of the unfinished message's buffers over bytes received for it, at the most. */
  amplificationMax = 0;
  readonly #arena: Uint8Array;
  readonly #receiver: Receiver;
  #partial: UnfinishedMessage | undefined;
  #expected: Received[] = [];
  /** Bytes since nothing was unfinished. */
  #received = 0;
  #over = false;
  readonly #compressible: boolean;

  constructor(pieceBytes: number, compressible: boolean) {
    const progress = new Int32Array(2);
    const inflation = new Inflation(new ZlibCodec(progress), progress);
    this.#arena = new Uint8Array(pieceBytes);
    this.#receiver = new Receiver(this.#arena, naiveUnmask(this.#arena), LIMITS, inflation);
    this.#compressible = compressible;
  }

  /** A stage, in pieces of the arena's size; a failure must come with its last byte. */
  feed({ sends, receives }: Stage): void {
    const wasOver = this.#over;
    this.#expected = [...receives];
    const size = this.#arena.length;
    let left = sends.reduce((sum, { length }) => sum + length, 0);
    for (const bytes of sends) {
      for (let start = 0; start < bytes.length; start += size) {
        const length = Math.min(size, bytes.length - start);
        left -= length;
        if (wasOver) continue;
        for (let at = 0; at < length; at++) this.#arena[at] = bytes[start + at] as number;
        this.#read(length);
        assert.ok(!this.#over || left === 0, `it was over with ${left} bytes to come`);
      }
    }
    assert.deepEqual(this.#expected.map(nameOf), [], "all that must be reported was");
  }

  #read(length: number): void {
    const receiver = this.#receiver;
    receiver.begin(this.#partial, this.#compressible);
    let position = 0;
    for (;;) {
      const event = receiver.next(position, length, LARGE_MESSAGE_BYTES);
      this.#received += receiver.position - position;
      position = receiver.position;
      if (event === MORE) break;
      this.#judge(event);
      if (this.#over) break;
    }
    this.#partial = receiver.partial;
    this.#measure();
  }

  #measure(): void {
    if (this.#partial === undefined) {
      this.#received = 0;
      return;
    }
    const { bytesHeld } = this.#partial;
    assert.ok(bytesHeld <= 2 * this.#received + 64, `${bytesHeld} for ${this.#received} bytes`);
    if (this.#received < 1024) return;
    this.amplificationMax = Math.max(this.amplificationMax, bytesHeld / this.#received);
  }

  #judge(event: number): void {
    if (event === PONG) return;
    const expected = this.#expected.shift();
    assert.ok(expected !== undefined, "nothing more was to be reported");
    const { opcode, payload, payloadOffset, payloadLength, closeCode, violation } = this.#receiver;
    this.#over = event === CLOSE || event === VIOLATION;
    if (event === VIOLATION) assert.equal(`failed ${violation?.closeCode}`, nameOf(expected));
    else if (event === CLOSE) assert.equal(`answered ${closeCode}`, nameOf(expected));
    else {
      assert.equal(event === PING ? "pong" : `message ${opcode}`, nameOf(expected));
      assert.ok(event === PING || event === MESSAGE);
      const bytes = payload.subarray(payloadOffset, payloadOffset + payloadLength);
      assert.ok("payload" in expected && Buffer.from(expected.payload).equals(bytes));
    }
  }
}

function nameOf(expected: Received): string {
  if (expected.kind === "pong") return "pong";
  if (expected.kind === "message") return `message ${expected.opcode}`;
  return `${expected.kind} ${expected.code}`;
}
