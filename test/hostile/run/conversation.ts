/**
 * One conversation as a well-behaved client has it, made from a seed: a handshake, frames of all
 * kinds, a close. It is a list of writes, for others to spoil.
 */
import { deflateRawSync } from "node:zlib";
import { clientFrame, upgradeHead } from "../../support/raw-client.ts";

export type Random = () => number;

const PATHS = ["/echo", "/packed", "/service/room"];
const EXTENSION = "permessage-deflate; client_no_context_takeover; client_max_window_bits";
/** Around what changes the form of a header, and what is more than one read. */
const LENGTHS = [0, 1, 2, 60, 63, 64, 65, 125, 126, 127, 1000, 4096, 65_535, 65_536, 100_000];
const RSV1 = 0x40;
const CLOSE_CODES = [1000, 1001, 1003, 3000, 4999];

/** A whole number from 0 to below `count`. */
export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[below(random, items.length)] as Item;
}

export function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => below(random, 256)));
}

/** The handshake is the first write, and each frame one more. */
export function makeConversation(random: Random): Buffer[] {
  const path = pick(random, PATHS);
  const headers = path === "/packed" ? { "Sec-WebSocket-Extensions": EXTENSION } : {};
  const writes: Buffer[] = [Buffer.from(upgradeHead(path, headers))];
  const messages = 1 + below(random, 6);
  for (let index = 0; index < messages; index += 1) {
    writes.push(...makeMessage(random, path === "/packed"));
    if (random() < 0.3) writes.push(clientFrame(random() < 0.5 ? 9 : 10, text(random, 125)));
  }
  const code = Buffer.alloc(2);
  code.writeUInt16BE(pick(random, CLOSE_CODES));
  writes.push(clientFrame(8, Buffer.concat([code, Buffer.from(text(random, 60))])));
  return writes;
}

function makeMessage(random: Random, isPacked: boolean): Buffer[] {
  const isText = random() < 0.5;
  const length = random() < 0.8 ? pick(random, LENGTHS.slice(0, 11)) : pick(random, LENGTHS);
  const payload = isText ? Buffer.from(text(random, length)) : Buffer.alloc(length, length);
  const opcode = isText ? 1 : 2;
  if (isPacked && random() < 0.6) {
    const packed = deflateRawSync(payload, { finishFlush: 2 }).subarray(0, -4);
    const frame = clientFrame(opcode, packed);
    frame[0] = (frame[0] as number) | RSV1;
    return [frame];
  }
  if (random() < 0.7) return [clientFrame(opcode, payload)];
  const cut = below(random, payload.length + 1);
  return [
    clientFrame(opcode, payload.subarray(0, cut), false),
    ...(random() < 0.5 ? [clientFrame(9, "between")] : []),
    clientFrame(0, payload.subarray(cut)),
  ];
}

/** UTF-8 of at most so many bytes. */
function text(random: Random, bytesMax: number): string {
  const character = pick(random, ["a", "ü", "€", "😀"]);
  return character.repeat(Math.floor(bytesMax / Buffer.byteLength(character)));
}
