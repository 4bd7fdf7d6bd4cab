/**
 * One receiver and one arena for all streams of a target, as a worker has them, with the addon's
 * unmasking; what it reports is written down as one line an event. After every step it checks
 * what must hold of the memory that a connection keeps.
 */
import assert from "node:assert/strict";
import { loadBinding } from "../../src/reactor/binding.ts";
import { Inflation } from "../../src/websocket/inflation.ts";
import {
  CLOSE,
  MESSAGE,
  MORE,
  PING,
  Receiver,
  type ReceiverLimits,
  VIOLATION,
} from "../../src/websocket/receiver.ts";
import type { UnfinishedMessage } from "../../src/websocket/unfinished-message.ts";
import type { Violation } from "../../src/websocket/violation.ts";
import { streamRules } from "./client-streams.ts";

const ARENA_BYTES = 65536;
/** Before and behind a piece, to see whether anything is touched that is not of it. */
const MARGIN = 8;
const MARGIN_BYTE = 0xa5;

/** One connection, between two pieces. */
export interface ReadStream {
  events: string[];
  partial: UnfinishedMessage | undefined;
  /** It negotiated compression. */
  compressible: boolean;
  /** CLOSE or VIOLATION was reported. */
  isOver: boolean;
  violation: Violation | undefined;
  /** Bytes received since nothing was unfinished. */
  received: number;
}

export function newStream(compressible = false): ReadStream {
  const before = { partial: undefined, isOver: false, violation: undefined, received: 0 };
  return { events: [], compressible, ...before };
}

const unmasking = new Int32Array(5);
const arena = Buffer.alloc(ARENA_BYTES);
const binding = loadBinding();
const poller = binding.create({
  slots: 2,
  arena,
  inputStart: 0,
  inputEnd: ARENA_BYTES,
  eventsMax: 1,
  acceptsMax: 1,
  turnBytes: 1024,
  readBytesMin: 1024,
  readBytesMax: 1024,
  batch: new Int32Array(64),
  generations: new Uint32Array(2),
  entries: new Int32Array(64),
  heads: new Int32Array(2).fill(-1),
  flushing: new Int32Array(2),
  short: new Int32Array(4),
  unmasking,
});

function unmask(to: number, offset: number, length: number, key: number, utf8: number): number {
  unmasking.set([offset, length, key, utf8, to]);
  poller.unmask();
  return unmasking[3] as number;
}

const progress = new Int32Array(2);
const inflation = new Inflation(binding.createCodec(progress), progress);

export class StreamReader {
  readonly #receiver: Receiver;

  constructor(limits: ReceiverLimits) {
    this.#receiver = new Receiver(arena, unmask, limits, inflation);
  }

  /** Reads all that a piece has in it, unless the stream is over. */
  read(stream: ReadStream, piece: Uint8Array): void {
    const receiver = this.#receiver;
    if (stream.isOver) return;
    const end = MARGIN + piece.length;
    arena.fill(MARGIN_BYTE, 0, MARGIN);
    arena.set(piece, MARGIN);
    arena.fill(MARGIN_BYTE, end, end + MARGIN);
    receiver.begin(stream.partial, stream.compressible);
    let offset = MARGIN;
    for (let event = -1; event !== MORE && !stream.isOver; ) {
      event = receiver.next(offset, end, streamRules.messageBytesMax);
      stream.received += receiver.position - offset;
      assert(offset <= receiver.position && receiver.position <= end, "it stays within the piece");
      if (event !== MORE) this.#record(stream, event);
      this.#checkKept(stream);
      offset = receiver.position;
    }
    assert(stream.isOver || offset === end, "MORE has consumed everything");
    stream.partial = receiver.partial;
    for (let index = 0; index < MARGIN; index++) {
      assert(
        arena[index] === MARGIN_BYTE && arena[end + index] === MARGIN_BYTE,
        "margins are kept",
      );
    }
  }

  /** The connection is gone, and with it what was unfinished. */
  end(stream: ReadStream): ReadStream {
    stream.partial?.free();
    stream.partial = undefined;
    return stream;
  }

  #record(stream: ReadStream, event: number): void {
    const { opcode, payload, payloadOffset, payloadLength, closeCode, violation } = this.#receiver;
    stream.isOver = event === CLOSE || event === VIOLATION;
    if (event === VIOLATION) {
      stream.violation = violation;
      stream.events.push(`violation: ${violation?.sentence}`);
      return;
    }
    const end = payloadOffset + payloadLength;
    assert(end <= payload.length, "the payload is within its buffer");
    const { buffer, byteOffset } = payload;
    const bytes = Buffer.from(buffer, byteOffset + payloadOffset, payloadLength).toString("hex");
    if (event === CLOSE) stream.events.push(`close ${opcode} ${closeCode} ${bytes}`);
    else if (event === MESSAGE) stream.events.push(`message ${opcode} ${bytes}`);
    else stream.events.push(`${event === PING ? "ping" : "pong"} ${opcode} ${bytes}`);
  }

  /** What a connection keeps grows by what has arrived, never by what a header announces. */
  #checkKept(stream: ReadStream): void {
    const { partial } = this.#receiver;
    if (partial === undefined) {
      stream.received = 0;
      return;
    }
    assert(!stream.isOver, "nothing is kept of a stream that is over");
    const { bytesHeld } = partial;
    assert(bytesHeld <= 2 * stream.received + 64, `${bytesHeld} held of ${stream.received}`);
  }
}
