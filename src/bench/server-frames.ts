/**
 * Reads the frames that a server sends (RFC 6455, 5.2): unmasked, whole or in pieces, one event at
 * a time. One reader serves all connections of a process; what a connection has unfinished is put
 * in before its bytes and taken out behind them. It sends nothing and judges no payload.
 */
import {
  decodeFrameHeader,
  FrameHeader,
  headerBytesFor,
  OPCODE_CLOSE,
  OPCODE_PING,
  OPCODE_PONG,
} from "../websocket/frame-header.ts";

/** All bytes are consumed. */
export const MORE = 0;
export const MESSAGE = 1;
export const PING = 2;
export const PONG = 3;
export const CLOSE = 4;
/** The server broke a rule; `fault` says which. */
export const FAULT = 5;

export type ServerEvent =
  | typeof MORE
  | typeof MESSAGE
  | typeof PING
  | typeof PONG
  | typeof CLOSE
  | typeof FAULT;

/** A fragment was consumed; reading goes on behind it. */
const NONE = -1;

const CONTROL_BYTES_MAX = 125;
const NO_CLOSE_CODE = 1005;
const NOTHING = new Uint8Array(0);

/** The frame that is arriving, as it came, and the fragments that came before it. */
export class UnfinishedFrames {
  bytes: Uint8Array = NOTHING;
  length = 0;
  /** 0 between messages. */
  opcode = 0;
  fragments: Uint8Array[] = [];
  fragmentsLength = 0;

  append(from: Uint8Array, offset: number, length: number): void {
    if (this.length + length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(256, 2 * (this.length + length)));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(from.subarray(offset, offset + length), this.length);
    this.length += length;
  }
}

export class ServerFrames {
  /** Of the connection that is being read; undefined where nothing is unfinished. */
  unfinished: UnfinishedFrames | undefined = undefined;
  /** Behind what the last event consumed. */
  position = 0;
  /** Of MESSAGE, PING, PONG and CLOSE. */
  opcode = 0;
  payload: Uint8Array = NOTHING;
  payloadOffset = 0;
  payloadLength = 0;
  closeCode = NO_CLOSE_CODE;
  fault = "";
  readonly #header = new FrameHeader();

  /** Reads up to one event from bytes [offset, end); not again behind CLOSE and FAULT. */
  next(bytes: Uint8Array, offset: number, end: number, messageBytesMax: number): ServerEvent {
    this.position = offset;
    for (;;) {
      const step = this.#step(bytes, end, messageBytesMax);
      if (step !== NONE) return step;
    }
  }

  #step(bytes: Uint8Array, end: number, messageBytesMax: number): ServerEvent | typeof NONE {
    const { unfinished } = this;
    if (unfinished !== undefined && unfinished.length > 0) {
      return this.#goOn(unfinished, bytes, end, messageBytesMax);
    }
    const offset = this.position;
    const header = this.#header;
    if (!decodeFrameHeader(bytes, offset, end, header)) return this.#hold(bytes, end);
    const fault = this.#check(messageBytesMax);
    if (fault !== undefined) return this.#fail(fault);
    const payloadOffset = offset + header.headerBytes;
    if (payloadOffset + header.length > end) return this.#hold(bytes, end);
    this.position = payloadOffset + header.length;
    return this.#act(bytes, payloadOffset);
  }

  #hold(bytes: Uint8Array, end: number): ServerEvent {
    if (this.position < end) {
      this.unfinished ??= new UnfinishedFrames();
      this.unfinished.append(bytes, this.position, end - this.position);
      this.position = end;
    }
    return MORE;
  }

  /** Goes on with a frame whose beginning is held: first to the end of its header. */
  #goOn(
    held: UnfinishedFrames,
    bytes: Uint8Array,
    end: number,
    messageBytesMax: number,
  ): ServerEvent | typeof NONE {
    if (!this.#holdUpTo(held, 2, bytes, end)) return MORE;
    const headerBytes = headerBytesFor(held.bytes[1] as number);
    if (!this.#holdUpTo(held, headerBytes, bytes, end)) return MORE;
    decodeFrameHeader(held.bytes, 0, held.length, this.#header);
    const fault = this.#check(messageBytesMax);
    if (fault !== undefined) return this.#fail(fault);
    if (!this.#holdUpTo(held, headerBytes + this.#header.length, bytes, end)) return MORE;
    held.length = 0;
    if (held.opcode === 0) this.unfinished = undefined;
    return this.#act(held.bytes, headerBytes);
  }

  #holdUpTo(held: UnfinishedFrames, length: number, bytes: Uint8Array, end: number): boolean {
    const missing = length - held.length;
    if (missing <= 0) return true;
    const available = Math.min(missing, end - this.position);
    held.append(bytes, this.position, available);
    this.position += available;
    return available === missing;
  }

  /** The first rule that the header breaks. */
  #check(messageBytesMax: number): string | undefined {
    const { opcode, fin, rsv, masked, length } = this.#header;
    const fragmented = (this.unfinished?.opcode ?? 0) !== 0;
    if (masked) return "a masked frame";
    if (rsv !== 0) return "a reserved bit";
    if ((opcode > 2 && opcode < OPCODE_CLOSE) || opcode > OPCODE_PONG) return "a reserved opcode";
    if (opcode >= OPCODE_CLOSE) {
      return length > CONTROL_BYTES_MAX || !fin
        ? "a control frame too long or in pieces"
        : undefined;
    }
    if ((opcode === 0) !== fragmented) return "a fragment out of place";
    const before = this.unfinished?.fragmentsLength ?? 0;
    return length > messageBytesMax - before ? "a message that is too long" : undefined;
  }

  /** A whole frame, checked, whose payload stands at `offset`. */
  #act(bytes: Uint8Array, offset: number): ServerEvent | typeof NONE {
    const { opcode, fin, length } = this.#header;
    this.opcode = opcode;
    this.payload = bytes;
    this.payloadOffset = offset;
    this.payloadLength = length;
    if (opcode === OPCODE_CLOSE) return this.#close();
    if (opcode > OPCODE_CLOSE) return opcode === OPCODE_PING ? PING : PONG;
    if (fin && opcode !== 0) return MESSAGE;
    return this.#collect(opcode, fin);
  }

  #collect(opcode: number, fin: boolean): ServerEvent | typeof NONE {
    this.unfinished ??= new UnfinishedFrames();
    const { unfinished, payloadOffset } = this;
    if (opcode !== 0) unfinished.opcode = opcode;
    // Not `slice`, which copies nothing where the bytes are a Buffer.
    const fragment = this.payload.subarray(payloadOffset, payloadOffset + this.payloadLength);
    unfinished.fragments.push(new Uint8Array(fragment));
    unfinished.fragmentsLength += this.payloadLength;
    if (!fin) return NONE;
    this.opcode = unfinished.opcode;
    this.payload = Buffer.concat(unfinished.fragments);
    this.payloadOffset = 0;
    this.payloadLength = this.payload.length;
    this.unfinished = undefined;
    return MESSAGE;
  }

  #close(): ServerEvent {
    const { payload, payloadOffset, payloadLength } = this;
    this.unfinished = undefined;
    if (payloadLength === 1) return this.#fail("a close frame of one byte");
    const high = payload[payloadOffset] as number;
    const low = payload[payloadOffset + 1] as number;
    this.closeCode = payloadLength === 0 ? NO_CLOSE_CODE : (high << 8) | low;
    return CLOSE;
  }

  #fail(fault: string): ServerEvent {
    this.unfinished = undefined;
    this.fault = fault;
    return FAULT;
  }
}
