/**
 * Compares every byte that an echo service sends back with what was sent to it. As long as it
 * comes as it was sent it is one comparison for each read; a control frame, a fragment or a
 * difference takes the long way, through the reader of frames.
 */
import type { Clients } from "./clients.ts";
import type { Flight } from "./flight.ts";
import {
  CLOSE,
  FAULT,
  MESSAGE,
  MORE,
  PING,
  ServerFrames,
  type UnfinishedFrames,
} from "./server-frames.ts";

/** Below it, a loop here is cheaper than a call into C. */
const SHORT_BYTES = 48;

const WRONG_ANSWER = "wrong answer";

export class EchoAnswers {
  /** Messages of each slot that are sent and not answered whole. */
  readonly unanswered: Uint32Array;
  readonly #clients: Clients;
  readonly #flight: Flight;
  readonly #arena: Buffer;
  readonly #cycleBytes: number;
  /** How far each slot is in the cycle of answers. */
  readonly #positions: Uint32Array;
  /** 1 for a slot whose answers are not, just now, as they were sent. */
  readonly #irregular: Uint8Array;
  readonly #unfinished = new Map<number, UnfinishedFrames>();
  readonly #frames = new ServerFrames();

  constructor(clients: Clients, flight: Flight) {
    const { arena, slots } = clients.reactor;
    this.#clients = clients;
    this.#flight = flight;
    this.#arena = Buffer.from(arena.buffer, arena.byteOffset, arena.length);
    this.#cycleBytes = flight.count * flight.answerBytes;
    this.unanswered = new Uint32Array(slots.capacity);
    this.#positions = new Uint32Array(slots.capacity);
    this.#irregular = new Uint8Array(slots.capacity);
  }

  /** The slot is somebody else's now. */
  reset(slot: number): void {
    this.unanswered[slot] = 0;
    this.#positions[slot] = 0;
    this.#irregular[slot] = 0;
    this.#unfinished.delete(slot);
  }

  /** Takes what came: the messages that are answered with it. The slot may be lost afterwards. */
  take(slot: number, offset: number, end: number): number {
    if (this.#irregular[slot] === 1) return this.#readFrames(slot, offset, end);
    const { answers, answerBytes } = this.#flight;
    const position = this.#positions[slot] as number;
    const length = end - offset;
    const within = position % answerBytes;
    const owed = (this.unanswered[slot] as number) * answerBytes - within;
    if (length > owed || !equals(this.#arena, offset, end, answers, position)) {
      this.#leaveTheRegular(slot, position, within);
      return this.#readFrames(slot, offset, end);
    }
    this.#positions[slot] = (position + length) % this.#cycleBytes;
    const answered = Math.floor((within + length) / answerBytes);
    this.unanswered[slot] = (this.unanswered[slot] as number) - answered;
    return answered;
  }

  /** What is there of the next answer is the beginning of a frame, and was right so far. */
  #leaveTheRegular(slot: number, position: number, within: number): void {
    this.#irregular[slot] = 1;
    if (within === 0) return;
    const frames = this.#frames;
    frames.unfinished = undefined;
    const { answers, payloadBytes } = this.#flight;
    frames.next(answers, position - within, position, payloadBytes);
    this.#keep(slot, frames.unfinished);
    this.#positions[slot] = position - within;
  }

  #keep(slot: number, unfinished: UnfinishedFrames | undefined): void {
    if (unfinished === undefined) this.#unfinished.delete(slot);
    else this.#unfinished.set(slot, unfinished);
  }

  #readFrames(slot: number, offset: number, end: number): number {
    const frames = this.#frames;
    const arena = this.#arena;
    frames.unfinished = this.#unfinished.get(slot);
    let answered = 0;
    let event = frames.next(arena, offset, end, this.#flight.payloadBytes);
    while (event !== MORE) {
      if (event === CLOSE) this.#clients.closedByServer(slot, frames.closeCode);
      else if (event === FAULT) this.#clients.lose(slot, frames.fault);
      else if (event === PING) this.#pong(slot);
      else if (event === MESSAGE) {
        if (this.#isNext(slot)) answered += 1;
        else this.#clients.lose(slot, WRONG_ANSWER);
      }
      if (!this.#clients.isOpen(slot)) return answered;
      event = frames.next(arena, frames.position, end, this.#flight.payloadBytes);
    }
    this.#keep(slot, frames.unfinished);
    if (frames.unfinished === undefined) this.#irregular[slot] = 0;
    return answered;
  }

  #pong(slot: number): void {
    const { payload, payloadOffset, payloadLength } = this.#frames;
    this.#clients.pong(slot, payload.subarray(payloadOffset, payloadOffset + payloadLength));
  }

  /** Whether the message is the one that is to be answered next; then it is answered. */
  #isNext(slot: number): boolean {
    const { opcode, payloadBytes, answers, answerBytes } = this.#flight;
    const { payload, payloadOffset, payloadLength } = this.#frames;
    const unanswered = this.unanswered[slot] as number;
    if (unanswered === 0 || this.#frames.opcode !== opcode) return false;
    const position = this.#positions[slot] as number;
    const expected = position + answerBytes - payloadBytes;
    const end = payloadOffset + payloadLength;
    if (payloadLength !== payloadBytes) return false;
    if (
      !equals(
        Buffer.from(payload.buffer, payload.byteOffset),
        payloadOffset,
        end,
        answers,
        expected,
      )
    ) {
      return false;
    }
    this.unanswered[slot] = unanswered - 1;
    this.#positions[slot] = (position + answerBytes) % this.#cycleBytes;
    return true;
  }
}

/** Whether bytes [offset, end) are those that stand in `expected` from `at` on. */
export function equals(
  bytes: Buffer,
  offset: number,
  end: number,
  expected: Uint8Array,
  at: number,
): boolean {
  const length = end - offset;
  if (length > SHORT_BYTES) return bytes.compare(expected, at, at + length, offset, end) === 0;
  for (let index = 0; index < length; index += 1) {
    if (bytes[offset + index] !== expected[at + index]) return false;
  }
  return true;
}
