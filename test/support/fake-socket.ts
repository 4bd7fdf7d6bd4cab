/**
 * One client's socket, both ends of it, without a kernel: the test holds the client's end, and
 * fake-poller.ts what the gateway does to the other. Errors are told once and leave a dead socket
 * behind, as Linux has it.
 */

const EPIPE = 32;
const ECONNRESET = 104;

export class FakeSocket {
  /** Bytes that the gateway's end still takes; grows when the client reads. */
  room = Number.POSITIVE_INFINITY;
  /** The gateway sent its FIN. */
  ended = false;
  /** How the gateway closed its end. */
  closed: "closed" | "reset" | undefined;
  /** How often the gateway's end took something. */
  takes = 0;
  #input: Buffer = Buffer.alloc(0);
  readonly #taken: Buffer[] = [];
  #hasFinished = false;
  #isReset = false;
  /** Told to the next call, once. */
  #errno = 0;

  /** The client sends. */
  send(bytes: Uint8Array | string): void {
    this.#input = Buffer.concat([this.#input, Buffer.from(bytes)]);
  }

  /** The client sends its FIN behind all that it sent, and still reads. */
  finish(): void {
    this.#hasFinished = true;
  }

  /** The connection breaks; what the client sent before can still be read. */
  break(errno = ECONNRESET): void {
    this.#isReset = true;
    this.#errno = errno;
  }

  /** All that the gateway's end has taken so far. */
  get received(): Buffer {
    if (this.#taken.length !== 1) this.#taken.push(Buffer.concat(this.#taken.splice(0)));
    return this.#taken[0] as Buffer;
  }

  /** Bytes that wait to be read by the gateway. */
  get unread(): number {
    return this.#input.length;
  }

  get isBroken(): boolean {
    return this.#isReset;
  }

  get isReadable(): boolean {
    return this.#input.length > 0 || this.#hasFinished || this.#isReset;
  }

  get isWritable(): boolean {
    return this.room > 0 || this.ended || this.#isReset;
  }

  /** EPOLLERR or EPOLLHUP: the connection broke, or both ends have finished. */
  get isHungUp(): boolean {
    return this.#isReset || (this.#hasFinished && this.ended);
  }

  /** The gateway reads: bytes, the end, or an errno. */
  receive(bytesMax: number): Buffer | "end" | number {
    if (this.#input.length > 0) {
      const bytes = this.#input.subarray(0, bytesMax);
      this.#input = this.#input.subarray(bytes.length);
      return bytes;
    }
    const errno = this.#errno;
    this.#errno = 0;
    return errno === 0 ? "end" : errno;
  }

  /** The gateway writes: the bytes taken, or -errno. */
  take(bytes: Uint8Array): number {
    if (this.#isReset || this.ended) {
      const errno = this.#errno === 0 ? EPIPE : this.#errno;
      this.#errno = 0;
      return -errno;
    }
    const taken = Math.min(this.room, bytes.length);
    this.room -= taken;
    if (taken > 0) {
      this.takes += 1;
      this.#taken.push(Buffer.from(bytes.subarray(0, taken)));
    }
    return taken;
  }

  closeByPeer(reset: boolean): void {
    this.closed = reset ? "reset" : "closed";
  }
}
