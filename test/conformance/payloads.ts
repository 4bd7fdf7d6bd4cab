/**
 * What the compressed cases send: five kinds of data that compress from very well to not at all,
 * made from a fixed seed, so that every run and every machine sends the same bytes.
 */
import { seededRandom } from "../support/seed.ts";
import { BINARY, TEXT } from "./frames.ts";

export interface PayloadKind {
  readonly title: string;
  readonly opcode: number;
  readonly corpus: () => Buffer;
}

const CORPUS_BYTES = 256 * 1024;
const ROW_PIXELS = 512;

const WORDS = (
  "the gateway carries what clients send to the services behind it and brings their answers back " +
  "grüßen żółty naïve 東京 ещё wind harbour seldom quarter lantern between eleven"
).split(" ");

export const kinds: readonly PayloadKind[] = [
  { title: "JSON, as text", opcode: TEXT, corpus: () => repeat(1, record) },
  { title: "A picture in shades of grey", opcode: BINARY, corpus: picture },
  { title: "Prose, as binary", opcode: BINARY, corpus: () => repeat(3, sentence) },
  { title: "HTML, as text", opcode: TEXT, corpus: () => repeat(4, row) },
  { title: "A document, mostly compressed already", opcode: BINARY, corpus: document },
];

/** A message of exactly `length` bytes: a part of the corpus, another one for each `index`. */
export function messageOf(corpus: Buffer, opcode: number, length: number, index: number): Buffer {
  const start = (index * length + index) % (corpus.length - length);
  const payload = Buffer.from(corpus.subarray(start, start + length));
  return opcode === TEXT ? mendEnds(payload) : payload;
}

/** Characters that were cut in two at either end become hyphens. */
function mendEnds(text: Buffer): Buffer {
  let first = 0;
  while (isContinuation(text[first])) first += 1;
  let last = text.length - 1;
  while (isContinuation(text[last])) last -= 1;
  const lead = text[last] ?? 0;
  const characterBytes = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const end = last + characterBytes <= text.length ? text.length : last;
  return text.fill("-", 0, first).fill("-", end);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

type Random = () => number;

function repeat(seed: number, make: (random: Random) => string): Buffer {
  const random = seededRandom(seed);
  const parts: Buffer[] = [];
  for (let bytes = 0; bytes < CORPUS_BYTES; ) {
    const part = Buffer.from(make(random));
    parts.push(part);
    bytes += part.length;
  }
  return Buffer.concat(parts);
}

function sentence(random: Random): string {
  const words = Array.from({ length: 4 + Math.floor(random() * 9) }, () => word(random));
  return `${words.join(" ")}. `;
}

function record(random: Random): string {
  const id = Math.floor(random() * 1e9);
  const fields = { id, name: word(random), tags: [word(random), word(random)], at: random() };
  return `${JSON.stringify(fields)},\n`;
}

function row(random: Random): string {
  const cells = Array.from({ length: 4 }, () => `<td class="${word(random)}">${word(random)}</td>`);
  return `<tr id="r${Math.floor(random() * 1e6)}">${cells.join("")}</tr>\n`;
}

function word(random: Random): string {
  return WORDS[Math.floor(random() * WORDS.length)] as string;
}

/** Shades that change slowly, with the noise of a camera. */
function picture(): Buffer {
  const random = seededRandom(2);
  const pixels = Buffer.alloc(CORPUS_BYTES);
  for (let index = 0; index < pixels.length; index++) {
    const [x, y] = [index % ROW_PIXELS, Math.floor(index / ROW_PIXELS)];
    const shade = 128 + 60 * Math.sin(x / 90) + 50 * Math.cos(y / 70) + 4 * random();
    pixels[index] = Math.floor(shade);
  }
  return pixels;
}

function document(): Buffer {
  const random = seededRandom(5);
  const bytes = Buffer.alloc(CORPUS_BYTES);
  for (let index = 0; index < bytes.length; index++) bytes[index] = Math.floor(256 * random());
  const heading = Buffer.from("<< /Type /Page /Filter /FlateDecode /Length 3847 >> stream\n");
  for (let start = 0; start < bytes.length; start += 4096) heading.copy(bytes, start);
  return bytes;
}
