/**
 * Reads the frames of a connection's stream in place and reports one event at a time: bytes in,
 * events out. One receiver serves all connections of a worker; what a connection has unfinished
 * is put in before its bytes and taken out behind them. It sends nothing and owns no clock.
 */
import { isUtf8 } from "node:buffer";
import { CellPool } from "../core/cell-pool.ts";
import { TEXT } from "../core/opcode.ts";
import { checkClosePayload, closeCodeOf, NO_CLOSE_CODE } from "./close-payload.ts";
import { headerBytesOf } from "./encode.ts";
import {
  checkFrameHeader,
  decodeFrameHeader,
  FrameHeader,
  headerBytesFor,
  OPCODE_CLOSE,
  OPCODE_PING,
  turnKey,
} from "./frame-header.ts";
import { compressedBytesMax, type Inflation } from "./inflation.ts";
import { UnfinishedMessage } from "./unfinished-message.ts";
import { unmaskShort, unmaskShortText } from "./unmask-short.ts";
import { UTF8_ACCEPT, UTF8_REJECT } from "./utf8.ts";
import {
  INVALID_UTF8,
  MESSAGE_TOO_BIG,
  TOO_MANY_EMPTY_FRAMES,
  TOO_MANY_FRAMES,
  type Violation,
} from "./violation.ts";

/** All bytes are consumed; what is unfinished is in `partial`. */
export const MORE = 0;
export const MESSAGE = 1;
export const PING = 2;
export const PONG = 3;
export const CLOSE = 4;
export const VIOLATION = 5;

export type ReceiverEvent =
  | typeof MORE
  | typeof MESSAGE
  | typeof PING
  | typeof PONG
  | typeof CLOSE
  | typeof VIOLATION;

/** A frame was consumed that is no event of its own; reading goes on behind it. */
const NONE = -1;
type Step = ReceiverEvent | typeof NONE;

/** Below it, the call into C costs more than unmasking here. */
const SHORT_BYTES = 64;
const UTF8_OFF = -1;
const NOTHING = new Uint8Array(0);

/**
 * Unmasks bytes of the arena in place. `utf8`: -1 for no check, otherwise the check's state (0
 * accept, 1 reject, others inside a sequence, which only this function knows how to read); the
 * new state is returned.
 */
export type Unmask = (
  to: number,
  offset: number,
  length: number,
  key: number,
  utf8: number,
) => number;

export interface ReceiverLimits {
  framesPerMessageMax: number;
  emptyFramesPerMessageMax: number;
}

export class Receiver {
  /**
   * What the connection being read has unfinished, to be taken back behind the last `next` of a
   * batch; undefined between messages, and behind CLOSE and VIOLATION.
   */
  partial: UnfinishedMessage | undefined = undefined;
  /** Position in the arena behind what the last event consumed. */
  position = 0;

  /** Of MESSAGE, PING, PONG and CLOSE: the frame's opcode, of a message its first frame's. */
  opcode = 0;
  /**
   * The arena, what a message was assembled in, or what it was inflated in. The bytes hold until
   * `next` is called again: whoever keeps them copies them.
   */
  payload: Uint8Array = NOTHING;
  payloadOffset = 0;
  payloadLength = 0;
  /** Of MESSAGE: a header of ours may be written in front of the payload. */
  hasRoom = false;
  /** Of CLOSE; its payload is the code, when there is one, and the reason. */
  closeCode = NO_CLOSE_CODE;
  /** Of VIOLATION. */
  violation: Violation | undefined = undefined;

  /** Where the last message ends in the arena, behind which the next one may be moved; or 0. */
  #packedEnd = 0;
  readonly #arena: Uint8Array;
  readonly #unmask: Unmask;
  readonly #limits: ReceiverLimits;
  readonly #inflation: Inflation | undefined;
  readonly #header = new FrameHeader();
  readonly #pool = new CellPool();
  /** What the last event ended, and perhaps reported; its memory is free at the next one. */
  #spent: UnfinishedMessage | undefined = undefined;
  /** Of the event being read. */
  #messageBytesMax = 0;
  #compressible = false;

  /** Without an `inflation` no connection is `compressible`. */
  constructor(
    arena: Uint8Array,
    unmask: Unmask,
    limits: ReceiverLimits,
    inflation: Inflation | undefined = undefined,
  ) {
    this.#arena = arena;
    this.#unmask = unmask;
    this.#limits = limits;
    this.#inflation = inflation;
  }

  /** Before the first `next` of a batch: what its connection has unfinished, and negotiated. */
  begin(partial: UnfinishedMessage | undefined, compressible: boolean): void {
    this.partial = partial;
    this.#compressible = compressible;
    this.#packedEnd = 0;
  }

  /**
   * Reads up to one event from the arena's bytes [offset, end). After CLOSE and VIOLATION it is
   * not called again for that connection.
   */
  next(offset: number, end: number, messageBytesMax: number): ReceiverEvent {
    if (this.#spent !== undefined) {
      this.#spent.free();
      this.#spent = undefined;
    }
    this.position = offset;
    this.#messageBytesMax = messageBytesMax;
    let step = this.#step(end);
    while (step === NONE) step = this.#step(end);
    return step;
  }

  /**
   * Keeps the memory of a payload that has room and does not stand in the arena; to be called when
   * it is needed no more.
   */
  keepPayload(): () => void {
    return (this.#spent as UnfinishedMessage).keep();
  }

  /** Gives back memory that nobody needed since this was called last. */
  trim(): void {
    this.#spent?.free();
    this.#spent = undefined;
    this.payload = NOTHING;
    this.hasRoom = false;
    this.#pool.trim();
  }

  /** Nothing is unfinished any more. */
  #finish(): void {
    if (this.partial === undefined) return;
    this.#spent = this.partial;
    this.partial = undefined;
  }

  #step(end: number): Step {
    const partial = this.partial;
    if (partial !== undefined) {
      if (partial.frameRemaining > 0) return this.#readPayload(partial, end);
      if (partial.heldLength > 0) return this.#readHeld(partial, end);
    }
    const offset = this.position;
    const header = this.#header;
    if (!decodeFrameHeader(this.#arena, offset, end, header)) return this.#hold(offset, end);
    const fragmented = partial !== undefined && partial.opcode !== 0;
    const violation = checkFrameHeader(header, fragmented, this.#compressible);
    if (violation !== undefined) return this.#violate(violation);
    const payloadOffset = offset + header.headerBytes;
    if (header.opcode < OPCODE_CLOSE) return this.#readData(payloadOffset, end);
    const frameEnd = payloadOffset + header.length;
    if (frameEnd > end) return this.#hold(offset, end);
    this.position = frameEnd;
    return this.#reportControl(this.#arena, payloadOffset);
  }

  /** Keeps the beginning of a frame that is short of a header, or of a whole control frame. */
  #hold(offset: number, end: number): Step {
    if (offset < end) {
      this.partial ??= new UnfinishedMessage(this.#pool);
      this.partial.hold(this.#arena, offset, end - offset);
      this.position = end;
    }
    return MORE;
  }

  /** Goes on with a frame whose beginning is held. */
  #readHeld(partial: UnfinishedMessage, end: number): Step {
    if (!this.#holdUpTo(partial, 2, end)) return MORE;
    const secondByte = partial.heldBytes();
    const headerBytes = headerBytesFor(secondByte.bytes[secondByte.offset + 1] as number);
    if (!this.#holdUpTo(partial, headerBytes, end)) return MORE;
    const header = this.#header;
    const { bytes, offset } = partial.heldBytes();
    decodeFrameHeader(bytes, offset, offset + partial.heldLength, header);
    const violation = checkFrameHeader(header, partial.opcode !== 0, this.#compressible);
    if (violation !== undefined) return this.#violate(violation);
    if (header.opcode < OPCODE_CLOSE) {
      partial.heldLength = 0;
      return this.#readData(this.position, end);
    }
    if (!this.#holdUpTo(partial, headerBytes + header.length, end)) return MORE;
    const frame = partial.heldBytes();
    partial.heldLength = 0;
    if (partial.opcode === 0) this.#finish();
    return this.#reportControl(frame.bytes, frame.offset + headerBytes);
  }

  #holdUpTo(partial: UnfinishedMessage, length: number, end: number): boolean {
    const missing = length - partial.heldLength;
    if (missing <= 0) return true;
    const available = Math.min(missing, end - this.position);
    partial.hold(this.#arena, this.position, available);
    this.position += available;
    return available === missing;
  }

  /** Begins a data frame whose header is decoded and checked. */
  #readData(payloadOffset: number, end: number): Step {
    const partial = this.partial;
    const header = this.#header;
    const before = partial === undefined ? 0 : partial.length;
    const length = before + header.length;
    if (length > this.#messageBytesMax && !this.#mayInflate(length)) {
      return this.#violate(MESSAGE_TOO_BIG);
    }
    const whole = header.fin && payloadOffset + header.length <= end;
    if (whole && (partial === undefined || partial.opcode === 0)) {
      return this.#reportWhole(payloadOffset, header.length);
    }
    this.position = payloadOffset;
    return this.#beginFrame(partial ?? new UnfinishedMessage(this.#pool), end);
  }

  /**
   * An unfragmented message that stands in the arena: no allocation, numbers only. Being whole,
   * its UTF-8 may be checked by either implementation.
   */
  #reportWhole(offset: number, length: number): Step {
    const arena = this.#arena;
    const { opcode, key, rsv } = this.#header;
    if (rsv !== 0) return this.#inflateWhole(offset, length);
    const to = this.#packedEnd === 0 ? offset : this.#packedEnd + headerBytesOf(length);
    if (length >= SHORT_BYTES) {
      const utf8 = this.#unmask(to, offset, length, key, opcode === TEXT ? UTF8_ACCEPT : UTF8_OFF);
      if (opcode === TEXT && utf8 !== UTF8_ACCEPT) return this.#violate(INVALID_UTF8);
    } else if (opcode === TEXT) {
      if (!unmaskShortText(arena, to, offset, length, key)) return this.#violate(INVALID_UTF8);
    } else unmaskShort(arena, to, offset, length, key);
    this.#finish();
    this.opcode = opcode;
    this.payload = arena;
    this.payloadOffset = to;
    this.hasRoom = true;
    this.payloadLength = length;
    this.position = offset + length;
    this.#packedEnd = to + length;
    return MESSAGE;
  }

  /** Opens a frame of a message that has to be assembled. */
  #beginFrame(message: UnfinishedMessage, end: number): Step {
    const header = this.#header;
    this.partial = message;
    if (message.opcode === 0) {
      message.opcode = header.opcode;
      message.isCompressed = header.rsv !== 0;
      const checked = header.opcode === TEXT && !message.isCompressed;
      message.utf8 = checked ? UTF8_ACCEPT : UTF8_OFF;
    }
    message.frames += 1;
    if (message.frames > this.#limits.framesPerMessageMax) return this.#violate(TOO_MANY_FRAMES);
    if (header.length === 0) {
      message.emptyFrames += 1;
      const tooMany = message.emptyFrames > this.#limits.emptyFramesPerMessageMax;
      if (tooMany) return this.#violate(TOO_MANY_EMPTY_FRAMES);
    }
    message.frameFin = header.fin;
    message.frameRemaining = header.length;
    message.key = header.key;
    return this.#readPayload(message, end);
  }

  /**
   * Takes what has arrived of the open frame. All pieces of one text go through `#unmask`,
   * however short: the state that it carries is its own.
   */
  #readPayload(message: UnfinishedMessage, end: number): Step {
    const offset = this.position;
    const length = Math.min(message.frameRemaining, end - offset);
    if (length > 0) {
      const utf8 = this.#unmask(offset, offset, length, message.key, message.utf8);
      if (message.utf8 !== UTF8_OFF) {
        if (utf8 === UTF8_REJECT) return this.#violate(INVALID_UTF8);
        message.utf8 = utf8;
      }
      message.append(this.#arena, offset, length);
      message.key = turnKey(message.key, length);
      message.frameRemaining -= length;
      this.position = offset + length;
    }
    if (message.frameRemaining > 0) return MORE;
    return message.frameFin ? this.#reportAssembled(message) : NONE;
  }

  #reportAssembled(message: UnfinishedMessage): Step {
    // A text that ends inside a sequence: neither off nor accept.
    if (message.utf8 > UTF8_ACCEPT) return this.#violate(INVALID_UTF8);
    if (message.isCompressed) {
      const inflation = this.#inflation as Inflation;
      const violation = inflation.inflateParts(message.parts(), this.#messageBytesMax);
      return this.#reportInflated(message.opcode, inflation, violation);
    }
    const { bytes, offset, hasRoom } = message.payload();
    this.#finish();
    this.hasRoom = hasRoom;
    this.opcode = message.opcode;
    this.payload = bytes;
    this.payloadOffset = offset;
    this.payloadLength = message.length;
    return MESSAGE;
  }

  /** Whether so many bytes, more than the limit, may be a compressed message within it. */
  #mayInflate(length: number): boolean {
    const { partial } = this;
    const isCompressed = this.#header.rsv !== 0 || (partial?.isCompressed ?? false);
    return isCompressed && length <= compressedBytesMax(this.#messageBytesMax);
  }

  #inflateWhole(offset: number, length: number): Step {
    const { opcode, key } = this.#header;
    if (length >= SHORT_BYTES) this.#unmask(offset, offset, length, key, UTF8_OFF);
    else unmaskShort(this.#arena, offset, offset, length, key);
    this.#packedEnd = 0;
    this.position = offset + length;
    const inflation = this.#inflation as Inflation;
    const violation = inflation.inflate(this.#arena, offset, length, this.#messageBytesMax);
    return this.#reportInflated(opcode, inflation, violation);
  }

  /**
   * Text is checked behind it and not on the way: a codec that serves all connections has a
   * message's bytes only when it is whole, so nothing could be certain any earlier.
   */
  #reportInflated(opcode: number, inflation: Inflation, violation: Violation | undefined): Step {
    if (violation !== undefined) return this.#violate(violation);
    const payload = inflation.take();
    if (opcode === TEXT && !isUtf8(payload.subarray(0, inflation.length))) {
      return this.#violate(INVALID_UTF8);
    }
    this.#finish();
    this.opcode = opcode;
    this.payload = payload;
    this.payloadOffset = 0;
    this.payloadLength = inflation.length;
    this.hasRoom = false;
    return MESSAGE;
  }

  /** A whole control frame, of the arena or held: its payload is unmasked where it is. */
  #reportControl(bytes: Uint8Array, payloadOffset: number): Step {
    const { opcode, length, key } = this.#header;
    unmaskShort(bytes, payloadOffset, payloadOffset, length, key);
    this.#packedEnd = 0;
    this.opcode = opcode;
    this.payload = bytes;
    this.payloadOffset = payloadOffset;
    this.payloadLength = length;
    if (opcode !== OPCODE_CLOSE) return opcode === OPCODE_PING ? PING : PONG;
    const violation = checkClosePayload(bytes, payloadOffset, length);
    if (violation !== undefined) return this.#violate(violation);
    this.closeCode = closeCodeOf(bytes, payloadOffset, length);
    this.#finish();
    return CLOSE;
  }

  #violate(violation: Violation): Step {
    this.violation = violation;
    this.#finish();
    return VIOLATION;
  }
}
