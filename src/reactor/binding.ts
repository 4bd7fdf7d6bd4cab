/**
 * The seam between TypeScript and C: the verbs of the addon over numbers and typed arrays.
 * This is the only file that loads the addon. C validates nothing that a type can say, so
 * callers validate; every verb that can fail in the world returns `-errno`.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HeadgateError } from "../core/error.ts";

/** Int32 fields of one record of the batch: slot, kind, offset, length. */
export const BATCH_STRIDE = 4;

/** A socket was accepted into this slot; `offset` is the listening slot that it came from. */
export const ACCEPTED = 1;
/** `length` bytes of this slot stand in the arena at `offset`. */
export const BYTES = 2;
/** The peer finished sending (FIN); said once each time that the slot is watched for READ. */
export const END = 3;
/** The socket broke; `length` is the errno. */
export const FAILED = 4;
/**
 * The socket takes bytes again; reported every turn while the interest holds WRITE, before what
 * else the batch holds of the same slot.
 */
export const WRITABLE = 5;
/**
 * The peer hung up while nobody wanted to read: the socket has left epoll, which would otherwise
 * report it for ever; watching it for READ again puts it back and finds what it still holds.
 */
export const HANGUP = 6;
/**
 * A listening slot could not accept; `length` is the errno, ENOBUFS also for no free slot. What
 * waits in its queue stays there: pause it, or it is reported every turn.
 */
export const ACCEPT_FAILED = 7;

/** Interest bits for `watch`. */
export const READ = 1;
export const WRITE = 2;

/** States of the UTF-8 check that `unmask` carries from one call to the next. */
export const UTF8_OFF = -1;
export const UTF8_ACCEPT = 0;
export const UTF8_REJECT = 1;

/** Int32 fields of one entry of the flush: offset in the arena, length, next entry or CHAIN_…. */
export const ENTRY_STRIDE = 3;
/** No entry is next. */
export const CHAIN_END = -1;
/** No entry is next but our FIN, as of `shutdown`; with the chain's last bytes in one packet. */
export const CHAIN_FIN = -2;

export interface PollerOptions {
  /** Slots there are, listening ones included; at most 2^20. */
  slots: number;
  /** Received bytes go to [inputStart, inputEnd); the rest of it belongs to TypeScript. */
  arena: Uint8Array;
  inputStart: number;
  inputEnd: number;
  /**
   * Events one turn takes from epoll at the most; `inputEnd - inputStart` holds a read of each, and
   * 24 bytes more for it: each read begins at a multiple of 8 and has 16 bytes of room before it.
   */
  eventsMax: number;
  /** Sockets that one turn accepts at the most. */
  acceptsMax: number;
  /** One read is `turnBytes` over the ready sockets, within [readBytesMin, readBytesMax]. */
  turnBytes: number;
  readBytesMin: number;
  readBytesMax: number;
  /** Where `turn` puts its records: (2 * eventsMax + acceptsMax) * BATCH_STRIDE. */
  batch: Int32Array;
  /** One generation for each slot; C adds one when it closes the slot. */
  generations: Uint32Array;
  /** What `flush` sends: entries of ENTRY_STRIDE fields. */
  entries: Int32Array;
  /** First entry of each slot, -1 for none; `flush` resets it for what left whole. */
  heads: Int32Array;
  /** The slots to flush, in order. */
  flushing: Int32Array;
  /** Pairs (slot, bytes sent or -errno) of those that did not take all; two for each `flushing`. */
  short: Int32Array;
  /** What `unmask` is given and gives: offset, length, key, state of the UTF-8 check, target. */
  unmasking: Int32Array;
}

/**
 * One epoll instance with its slots. Every verb but `start` is synchronous and never blocks. A slot
 * that is not open, a range outside its buffer and a verb after `stop` are bugs and throw.
 */
export interface Poller {
  /** Takes over a listening socket; its slot, or -errno. */
  adopt(descriptor: number): number;
  /**
   * Dials an IPv4 or IPv6 address or, whatever the port, the path of a Unix socket (absolute, at
   * most 107 bytes), from a source address or, with "", from the kernel's choice: a slot that
   * wants WRITE, or -errno. WRITABLE tells that it is connected, FAILED that it never will be.
   */
  dial(address: string, port: number, sourceAddress: string): number;
  /** Sets what is wanted of a slot: READ | WRITE; 0 pauses it. A listening slot knows READ. */
  watch(slot: number, interest: number): void;
  /**
   * epoll_wait without waiting, for up to so many sockets, then one recv of each that is ready;
   * the number of records.
   */
  turn(eventsMax: number): number;
  /** Sends the chains of the first `count` slots of `flushing`; the number of pairs in `short`. */
  flush(count: number): number;
  /** Sends from any memory: the bytes taken, 0 for a full socket, or -errno. */
  write(slot: number, bytes: Uint8Array, offset: number, length: number): number;
  /** No more will be sent; the peer reads our FIN behind all that was written. */
  shutdown(slot: number): void;
  /** Closes the socket; `reset` drops what is unsent and sends RST. The slot is free next turn. */
  close(slot: number, reset: boolean): void;
  /** The peer's address, without its port; empty where the peer is gone already. */
  peerAddress(slot: number): string;
  /**
   * Unmasks bytes of the arena, in place or to a lower offset: those that `unmasking` says, with
   * the mask's four bytes in the order of memory, as a little-endian number. With a state other
   * than UTF8_OFF it also runs the check over them, and leaves its new state there.
   */
  unmask(): void;
  /** Calls `wake` from the event loop whenever the epoll instance has something to report. */
  start(wake: () => void): void;
  /** Closes the epoll instance and all its sockets, listening ones included. */
  stop(): void;
}

/** What `Codec.inflate` returns: the message is whole. */
export const INFLATED = 0;
/** More is to come: where `output` is full, call with the rest; otherwise with the next part. */
export const INFLATE_FULL = 1;
/** The input is no DEFLATE, or ends within a block, or reaches behind the start of the message. */
export const INFLATE_INVALID = 2;

/**
 * A raw-DEFLATE codec (RFC 1951) for all connections of a worker: every message begins afresh, so
 * no connection has a state in it. Synchronous. A range outside its buffer is a bug and throws.
 */
export interface Codec {
  /**
   * Inflates one message's payload into `output` from 0, as RFC 7692, 7.2.2 says; the tail
   * 00 00 ff ff is understood and no part of the input. The payload may come in parts: `offset`
   * and `length` say what is not consumed yet of one, `isFirst` that the message begins, `isLast`
   * that no part comes behind this one. `progress` gets the bytes consumed and the
   * bytes produced. A message that fills `output` exactly is INFLATED, not INFLATE_FULL; after
   * INFLATE_INVALID, or at any time, a message may be abandoned for the next one. What `output`
   * holds past the bytes produced is undefined.
   */
  inflate(
    input: Uint8Array,
    offset: number,
    length: number,
    output: Uint8Array,
    isFirst: boolean,
    isLast: boolean,
  ): number;
  /**
   * Deflates one message with a window of 2^windowBits, 9 to 15, into `output`, without the tail
   * 00 00 ff ff (RFC 7692, 7.2.1); the bytes written, 0 where it does not fit. While it works it
   * takes up to 5 bytes more of `output` than it writes in the end.
   */
  deflate(
    input: Uint8Array,
    offset: number,
    length: number,
    windowBits: number,
    output: Uint8Array,
  ): number;
}

export interface ListenOptions {
  /** An IPv4 or IPv6 address. */
  address: string;
  /** 0 lets the kernel choose. */
  port: number;
  backlog: number;
  /** TCP_USER_TIMEOUT, which accepted sockets inherit, as they do TCP_NODELAY. */
  userTimeoutMs: number;
}

export interface Binding {
  create(options: PollerOptions): Poller;
  /** A listening SO_REUSEPORT socket (non-blocking, close-on-exec): its descriptor or -errno. */
  listen(options: ListenOptions): number;
  /** The port that a listening socket has. */
  listenPort(descriptor: number): number;
  /**
   * Steers new connections of a SO_REUSEPORT group, at random, to the members whose index (the
   * order in which they began to listen) is in `open`, which is not empty; 0 or -errno.
   */
  steer(descriptor: number, open: Int32Array): number;
  /**
   * A codec that writes two numbers to `progress`. Its streams are made when they are first used:
   * some 45 KiB to inflate, and up to 300 KiB for each window that is deflated with.
   */
  createCodec(progress: Int32Array): Codec;
  /** Raises the limit of descriptors to its maximum; the limit in force. */
  raiseDescriptorLimit(): number;
  /** Gives what native code has freed back to the system, where the C library can: glibc does. */
  trimMemory(): void;
}

export function loadBinding(): Binding {
  const require = createRequire(import.meta.url);
  // From dist/src/reactor to the package's root.
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const path = join(root, "build/Release/headgate.node");
  try {
    return require(path) as Binding;
  } catch (cause) {
    throw new HeadgateError(
      "HG_ADDON_MISSING",
      `The native addon could not be loaded from ${path}. Build it for this machine with ` +
        `"npm --prefix ${root} run build:addon".`,
      { cause },
    );
  }
}
