/**
 * What is kept of one connection between two reads, while a frame or a message is unfinished:
 * plain data, which could move to another process. It grows by what has arrived, never by what
 * a header announces. Between messages a connection has none.
 */

const NOTHING = new Uint8Array(0);

/** A whole control frame; a header alone has 14 bytes at the most. */
const HELD_BYTES_MAX = 6 + 125;

export class UnfinishedMessage {
  /** When it began, for the one who has a clock; the receiver leaves it alone. */
  startedAt = 0;

  /** Of the message whose first frame has begun; 0: none has. */
  opcode = 0;
  /** The unmasked payload so far is the first `length` bytes. */
  buffer: Uint8Array = NOTHING;
  length = 0;
  /** State of the UTF-8 check; -1 for a binary message. */
  utf8 = -1;
  frames = 0;
  emptyFrames = 0;

  // Of the data frame whose header was read: bytes to come, whether it is the message's last,
  // and the mask turned to the next byte. While frameRemaining is above 0, heldLength is 0.
  frameRemaining = 0;
  frameFin = false;
  key = 0;

  /**
   * The raw beginning of a frame: of a header that is not complete, or of a control frame that
   * is not; the first `heldLength` bytes.
   */
  held: Uint8Array = NOTHING;
  heldLength = 0;

  /** Bytes of its buffers: at most twice the bytes received, and 64. */
  get bytesHeld(): number {
    return this.buffer.length + this.held.length;
  }

  /**
   * Adds bytes [offset, offset + length) to the payload. `lengthMax` is what the message can
   * grow to at the most, Infinity when its last frame has not begun.
   */
  append(bytes: Uint8Array, offset: number, length: number, lengthMax: number): void {
    const needed = this.length + length;
    if (needed > this.buffer.length) {
      const size = Math.min(Math.max(2 * needed, 32), Math.max(needed, lengthMax));
      this.buffer = grow(this.buffer, this.length, size);
    }
    this.buffer.set(bytes.subarray(offset, offset + length), this.length);
    this.length = needed;
  }

  /** Adds bytes [offset, offset + length) to the beginning of a frame that is held. */
  hold(bytes: Uint8Array, offset: number, length: number): void {
    const needed = this.heldLength + length;
    if (needed > this.held.length) {
      const size = Math.min(Math.max(2 * needed, 14), HELD_BYTES_MAX);
      this.held = grow(this.held, this.heldLength, size);
    }
    this.held.set(bytes.subarray(offset, offset + length), this.heldLength);
    this.heldLength = needed;
  }

  /** Nothing is held any more; the buffer goes to the caller. */
  release(): Uint8Array {
    const held = this.held;
    this.held = NOTHING;
    this.heldLength = 0;
    return held;
  }
}

function grow(buffer: Uint8Array, length: number, size: number): Uint8Array {
  const grown = new Uint8Array(size);
  grown.set(buffer.subarray(0, length));
  return grown;
}
