/**
 * What is done to a conversation so that it hurts: one kind for each way, made from a seed. A
 * kind says what is written and how it ends; it opens no socket.
 */
import { deflateRawSync } from "node:zlib";
import { clientFrame, upgradeHead } from "../../support/raw-client.ts";
import { below, makeConversation, pick, type Random, randomBytes } from "./conversation.ts";

/** How the client leaves when all is written. */
export type Ending =
  /** It reads on until the gateway ends, for as long as patience lasts. */
  | "wait"
  | "half-close"
  | "reset"
  /** It never reads, and is gone when patience ends. */
  | "deaf";

export interface Attack {
  kind: string;
  writes: Buffer[];
  /** Between two writes it waits until something comes, or for a moment. */
  pauses: boolean;
  ending: Ending;
}

type Spoil = (random: Random) => { writes: Buffer[]; pauses?: boolean; ending?: Ending };

const CLIENT_HELLO = "1603010200010001fc0303";
const BOMB = deflateRawSync(Buffer.alloc(20_000_000), { finishFlush: 2 }).subarray(0, -4);

const kinds: Record<string, Spoil> = {
  "as it should be": (random) => ({ writes: makeConversation(random) }),
  "bytes flipped": (random) => ({ writes: flip(random, makeConversation(random)) }),
  "frame bytes flipped": (random) => {
    const [head = Buffer.alloc(0), ...frames] = makeConversation(random);
    return { writes: [head, ...flip(random, frames)] };
  },
  "cut off": (random) => ({
    writes: cut(random, makeConversation(random)),
    ending: pick(random, ["wait", "half-close", "reset"] as const),
  }),
  "parts doubled": (random) => {
    const writes = makeConversation(random);
    const at = below(random, writes.length);
    return { writes: writes.toSpliced(at, 0, writes[at] as Buffer) };
  },
  "parts swapped": (random) => {
    const writes = makeConversation(random);
    const [taken = Buffer.alloc(0)] = writes.splice(below(random, writes.length), 1);
    return { writes: writes.toSpliced(below(random, writes.length + 1), 0, taken) };
  },
  "lengths changed": (random) => ({ writes: makeConversation(random).map(changeLength(random)) }),
  "in small pieces": (random) => ({
    writes: split(random, cut(random, makeConversation(random)).slice(0, 4)),
    pauses: true,
  }),
  "reset at any point": (random) => ({
    writes: cut(random, makeConversation(random)),
    pauses: random() < 0.5,
    ending: "reset",
  }),
  "reset at once": () => ({ writes: [], ending: "reset" }),
  "half-closed": (random) => ({
    writes: cut(random, makeConversation(random)),
    ending: "half-close",
  }),
  "never reading": (random) => ({
    writes: [Buffer.from(upgradeHead("/echo")), ...flood(random)],
    ending: "deaf",
  }),
  garbage: (random) => ({ writes: [randomBytes(random, 1 + below(random, 3000))] }),
  "garbage behind a handshake": (random) => ({
    writes: [
      Buffer.from(upgradeHead(pick(random, ["/echo", "/service/room"]))),
      randomBytes(random, 1 + below(random, 3000)),
    ],
  }),
  TLS: (random) => ({
    writes: [Buffer.concat([Buffer.from(CLIENT_HELLO, "hex"), randomBytes(random, 500)])],
  }),
  "HTTP/2": (random) => ({
    writes: [Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), randomBytes(random, 60)],
  }),
  "a huge head": (random) => {
    const value = "a".repeat(below(random, 60_000));
    return { writes: [Buffer.from(upgradeHead("/echo", { "X-Huge": value }))] };
  },
  "many headers": (random) => {
    const names = Array.from({ length: below(random, 300) }, (_, index) => [`x-${index}`, "y"]);
    return { writes: [Buffer.from(upgradeHead("/echo", Object.fromEntries(names)))] };
  },
  "a request that is none for a WebSocket": (random) => {
    const method = pick(random, ["GET", "POST", "CONNECT", "get"]);
    const path = pick(random, ["/echo", "/nowhere", "*", "/%zz", "http://a/echo"]);
    return { writes: [Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)] };
  },
  "a bomb": () => ({ writes: [Buffer.from(upgradeHead("/packed", OFFER)), bomb()] }),
  "a giant that never comes": (random) => ({
    writes: [
      Buffer.from(upgradeHead("/echo")),
      announce(pick(random, [65_536, 131_072, 131_073, 2 ** 31, 2 ** 40])),
      randomBytes(random, below(random, 300)),
    ],
  }),
  "endless fragments": (random) => ({
    writes: [
      Buffer.from(upgradeHead("/echo")),
      Buffer.concat(
        Array.from({ length: below(random, 3000) }, (_, index) =>
          clientFrame(index === 0 ? 2 : 0, Buffer.alloc(below(random, 3)), false),
        ),
      ),
    ],
  }),
};

const OFFER = { "Sec-WebSocket-Extensions": "permessage-deflate" };
const kindNames = Object.keys(kinds);

export function makeAttack(random: Random): Attack {
  const kind = pick(random, kindNames);
  const { writes, pauses = random() < 0.3, ending = "wait" } = (kinds[kind] as Spoil)(random);
  return { kind, writes, pauses, ending };
}

function flip(random: Random, writes: Buffer[]): Buffer[] {
  const changes = 1 + below(random, 5);
  for (let change = 0; change < changes; change += 1) {
    const write = pick(random, writes);
    if (write.length === 0) continue;
    const at = below(random, Math.min(write.length, random() < 0.5 ? 16 : write.length));
    write[at] = (write[at] as number) ^ (1 << below(random, 8));
  }
  return writes;
}

function cut(random: Random, writes: Buffer[]): Buffer[] {
  const whole = writes.slice(0, below(random, writes.length + 1));
  const last = whole.pop();
  if (last === undefined) return [];
  return [...whole, last.subarray(0, below(random, last.length + 1))];
}

function changeLength(random: Random): (write: Buffer, index: number) => Buffer {
  return (write, index) => {
    if (index === 0 || random() < 0.5) return write;
    write[1] = 0x80 | below(random, 128);
    return write;
  };
}

function split(random: Random, writes: Buffer[]): Buffer[] {
  const stream = Buffer.concat(writes).subarray(0, 2000);
  const pieces: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + below(random, random() < 0.5 ? 3 : 200);
    pieces.push(stream.subarray(at, end));
    at = end;
  }
  return pieces;
}

function flood(random: Random): Buffer[] {
  const frame = clientFrame(2, Buffer.alloc(100_000, 7));
  return Array.from({ length: 1 + below(random, 20) }, () => frame);
}

function bomb(): Buffer {
  const frame = clientFrame(2, BOMB);
  frame[0] = (frame[0] as number) | 0x40;
  return frame;
}

/** The header of a binary message with so many bytes. */
function announce(length: number): Buffer {
  const header = Buffer.alloc(14);
  header[0] = 0x82;
  header[1] = 0xff;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}
