/**
 * Where the frames of a client's stream stand, read off their headers alone, and streams with one
 * frame changed. It checks no rule and looks into no payload.
 */

export interface FramePlace {
  start: number;
  /** How many of its bytes there are: fewer than `headerBytes` at the end of a stream. */
  available: number;
  opcode: number;
  fin: boolean;
  rsv: number;
  lengthBytes: 0 | 2 | 8;
  headerBytes: number;
  /** Of the payload, as it is announced; 0 where that has not arrived. */
  length: bigint;
}

/** All frames, up to the one that is not whole. */
export function walkFrames(bytes: Uint8Array): FramePlace[] {
  const places: FramePlace[] = [];
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let start = 0; start < bytes.length; ) {
    const first = bytes[start] as number;
    const second = bytes[start + 1] ?? 0x80;
    const short = second & 127;
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const headerBytes = 2 + lengthBytes + (second >= 128 ? 4 : 0);
    const available = bytes.length - start;
    let length = BigInt(lengthBytes === 0 ? short : 0);
    if (lengthBytes === 2 && available >= 4) length = BigInt(view.readUInt16BE(start + 2));
    if (lengthBytes === 8 && available >= 10) length = view.readBigUInt64BE(start + 2);
    const bits = { opcode: first & 15, fin: first >= 128, rsv: (first >> 4) & 7 };
    const about = { ...bits, lengthBytes, headerBytes, length };
    places.push({ start, available, ...about } as FramePlace);
    if (BigInt(headerBytes) + length > BigInt(available)) break;
    start += headerBytes + Number(length);
  }
  return places;
}

/** The first frame of the data message with this index, counted from 0. */
export function messageStart(places: readonly FramePlace[], index: number): FramePlace | undefined {
  let finished = 0;
  for (const place of places) {
    if (place.opcode === 1 || place.opcode === 2) {
      if (finished === index) return place;
    }
    if (place.opcode < 8 && place.fin) finished += 1;
  }
  return undefined;
}

/** What there is of the payload of a message, and the bytes that its frames announce. */
export function messageOf(
  bytes: Uint8Array,
  places: readonly FramePlace[],
  first: FramePlace,
): { payload: Uint8Array; announced: bigint } {
  const parts: Uint8Array[] = [];
  let announced = 0n;
  for (const place of places.slice(places.indexOf(first))) {
    if (place.opcode >= 8) continue;
    const start = place.start + place.headerBytes;
    const part = bytes.subarray(start, start + Number(place.length));
    parts.push(part.map((byte, index) => byte ^ (bytes[start - 4 + (index & 3)] as number)));
    announced += place.length;
    if (place.fin) break;
  }
  return { payload: Buffer.concat(parts), announced };
}

/** The same frame with its length in as few bytes as can be. */
export function withMinimalLength(bytes: Uint8Array, place: FramePlace): Uint8Array {
  const { start, lengthBytes, length } = place;
  const second = bytes[start + 1] as number;
  const size = Number(length);
  const header = size < 126 ? [size] : [126, size >> 8, size & 255];
  header[0] = (header[0] as number) | (second & 128);
  return Buffer.concat([
    bytes.subarray(0, start + 1),
    Uint8Array.from(header),
    bytes.subarray(start + 2 + lengthBytes),
  ]);
}

export function withOpcode(bytes: Uint8Array, place: FramePlace, opcode: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[place.start] = ((bytes[place.start] as number) & 0xf0) | opcode;
  return changed;
}

/** The stream and as many zeroes as its last frame lacks; the header alone where that is huge. */
export function completed(bytes: Uint8Array, lengthMax: number): Uint8Array {
  let whole = bytes;
  // A header whose length has not arrived shows how long it is only when it is complete.
  for (let round = 0; round < 2; round++) {
    const last = walkFrames(whole).at(-1);
    if (last === undefined) return whole;
    const payload = last.length > BigInt(lengthMax) ? 0 : Number(last.length);
    const missing = Math.max(0, last.headerBytes + payload - last.available);
    whole = Buffer.concat([whole, new Uint8Array(missing)]);
  }
  return whole;
}
