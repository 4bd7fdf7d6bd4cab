/**
 * DEFLATE (RFC 1951) bit by bit, and the end of a compressed message as RFC 7692, 7.2.2 has it,
 * written to be read and slow. It is an oracle: what is a message for it is one for the codec, and
 * nothing else is.
 */

export interface Inflated {
  /** As far as it got. */
  bytes: number[];
  isWhole: boolean;
  /** It is not whole, and what is wrong was read in the tail, as something that it is not. */
  isShort: boolean;
  /** Bytes at the end of its first final block, where it has one. */
  firstEnd: number | undefined;
}

/** "append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload" */
const TAIL = [0x00, 0x00, 0xff, 0xff];
const BYTES_MAX = 1 << 20;

/** 3.2.5: of the symbols from 257 on; the last one is 258 and not the end of a range. */
const LENGTH_BITS = [0, 0, 0, 0, ...Array.from({ length: 24 }, (_, index) => index >> 2)];
const LENGTHS = [...base(3, LENGTH_BITS), [258, 0] as const];
const DISTANCE_BITS = [0, 0, ...Array.from({ length: 28 }, (_, index) => index >> 1)];
const DISTANCES = base(1, DISTANCE_BITS);
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIXED_LENGTHS = Array.from({ length: 288 }, (_, symbol) => {
  return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
});

class Invalid extends Error {}

/** Where each of a series of ranges begins, and how many bits choose within it. */
function base(first: number, bits: number[]): [start: number, bits: number][] {
  let start = first;
  return bits.map((count) => {
    start += 2 ** count;
    return [start - 2 ** count, count];
  });
}

export function inflateNaively(payload: Uint8Array): Inflated {
  if (payload.length === 0) {
    return { bytes: [], isWhole: true, isShort: false, firstEnd: undefined };
  }
  const decoder = new Decoder(payload);
  try {
    decoder.decode();
    const { bytes, firstEnd } = decoder;
    return { bytes, isWhole: true, isShort: false, firstEnd };
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    const { bytes, firstEnd } = decoder;
    return { bytes, isWhole: false, isShort: decoder.isInTail, firstEnd };
  }
}

class Decoder {
  readonly bytes: number[] = [];
  firstEnd: number | undefined;
  readonly #input: number[];
  readonly #payloadBits: number;
  #at = 0;

  constructor(payload: Uint8Array) {
    this.#input = [...payload, ...TAIL];
    this.#payloadBits = payload.length * 8;
  }

  get isInTail(): boolean {
    return this.#at > this.#payloadBits;
  }

  /** Blocks up to the tail, which must be the lengths of an empty one, or to a final block. */
  decode(): void {
    for (;;) {
      const isFinal = this.#bits(1) === 1;
      const type = this.#bits(2);
      if (type === 0) {
        this.#align();
        const isTail = this.#at === this.#payloadBits;
        this.#stored();
        if (isTail) return;
      } else if (type === 1)
        this.#block(
          FIXED_LENGTHS,
          Array.from({ length: 32 }, () => 5),
        );
      else if (type === 2) this.#dynamic();
      else throw new Invalid("a block of type 3");
      if (this.isInTail) throw new Invalid("it reads on in the tail");
      if (!isFinal) continue;
      this.firstEnd ??= this.bytes.length;
      this.#align();
      if (this.#at === this.#payloadBits) return;
    }
  }

  #align(): void {
    this.#at = Math.ceil(this.#at / 8) * 8;
  }

  #bits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index++) value |= this.#bit() << index;
    return value;
  }

  #bit(): number {
    const byte = this.#input[this.#at >> 3];
    if (byte === undefined) throw new Invalid("it ends within a block");
    const bit = (byte >> (this.#at & 7)) & 1;
    this.#at += 1;
    return bit;
  }

  #stored(): void {
    const length = this.#bits(16);
    if (length !== (this.#bits(16) ^ 0xffff)) throw new Invalid("the lengths do not match");
    for (let index = 0; index < length; index++) this.#put(this.#bits(8));
  }

  #dynamic(): void {
    const [literals, distances, codes] = [
      this.#bits(5) + 257,
      this.#bits(5) + 1,
      this.#bits(4) + 4,
    ];
    if (literals > 286 || distances > 30) throw new Invalid("too many symbols");
    const codeLengths = Array.from({ length: 19 }, () => 0);
    for (const symbol of LENGTH_ORDER.slice(0, codes)) codeLengths[symbol] = this.#bits(3);
    const table = huffman(codeLengths, false);
    const lengths: number[] = [];
    while (lengths.length < literals + distances) {
      const symbol = this.#symbol(table);
      if (symbol < 16) lengths.push(symbol);
      else this.#repeat(lengths, symbol);
    }
    if (lengths.length > literals + distances) throw new Invalid("a repeat goes too far");
    if (lengths[256] === 0) throw new Invalid("no symbol ends the block");
    this.#block(lengths.slice(0, literals), lengths.slice(literals));
  }

  #repeat(lengths: number[], symbol: number): void {
    const previous = symbol === 16 ? lengths.at(-1) : 0;
    if (previous === undefined) throw new Invalid("nothing to repeat");
    const [bits, least] = symbol === 16 ? [2, 3] : symbol === 17 ? [3, 3] : [7, 11];
    for (let count = this.#bits(bits as number) + (least as number); count > 0; count--) {
      lengths.push(previous);
    }
  }

  #block(literalLengths: number[], distanceLengths: number[]): void {
    const literals = huffman(literalLengths, true);
    const distances = huffman(distanceLengths, true);
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol === 256) return;
      if (symbol < 256) this.#put(symbol);
      else this.#copy(symbol, distances);
    }
  }

  #copy(symbol: number, distances: Map<string, number>): void {
    const [start, extra] = LENGTHS[symbol - 257] ?? [];
    if (start === undefined || extra === undefined) throw new Invalid("no such length");
    const length = start + this.#bits(extra);
    const [nearest, bits] = DISTANCES[this.#symbol(distances)] ?? [];
    if (nearest === undefined || bits === undefined) throw new Invalid("no such distance");
    const from = this.bytes.length - nearest - this.#bits(bits);
    if (from < 0) throw new Invalid("it reaches behind the start of the message");
    for (let index = 0; index < length; index++) this.#put(this.bytes[from + index] as number);
  }

  #symbol(codes: Map<string, number>): number {
    for (let code = ""; code.length < 16; ) {
      code += this.#bit();
      const symbol = codes.get(code);
      if (symbol !== undefined) return symbol;
    }
    throw new Invalid("no such code");
  }

  #put(byte: number): void {
    if (this.bytes.length >= BYTES_MAX) throw new Error("the oracle is for small messages");
    this.bytes.push(byte);
  }
}

/** 3.2.2: codes by their bits. `lenient`: one code of one bit may stand alone, or none at all. */
function huffman(lengths: readonly number[], lenient: boolean): Map<string, number> {
  const codes = new Map<string, number>();
  let code = 0;
  for (let length = 1; length < 16; length++) {
    code *= 2;
    for (const [symbol, each] of lengths.entries()) {
      if (each !== length) continue;
      codes.set(code.toString(2).padStart(length, "0"), symbol);
      code += 1;
    }
    if (code > 2 ** length) throw new Invalid("more codes than there are");
  }
  const isComplete = code === 2 ** 15;
  const longest = Math.max(...lengths);
  if (!isComplete && !(lenient && longest <= 1)) throw new Invalid("a code is incomplete");
  return codes;
}
