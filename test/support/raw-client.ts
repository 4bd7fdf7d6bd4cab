/**
 * A WebSocket client that does nothing by itself: it sends the bytes that a test says and keeps
 * what comes back, so that a test can break every rule and see every byte.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

export function upgradeHead(path: string, headers: Record<string, string> = {}): string {
  const lines = { Host: "gateway.example", Upgrade: "websocket", Connection: "Upgrade" };
  const all = { ...lines, "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", ...headers };
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${fields.join("")}\r\n`;
}

/** A masked client frame. */
export function clientFrame(opcode: number, payload: string | Uint8Array, fin = true): Buffer {
  const body = Buffer.from(payload);
  const header: number[] = [(fin ? 0x80 : 0) | opcode];
  if (body.length < 126) header.push(0x80 | body.length);
  else if (body.length < 65536) header.push(0x80 | 126, body.length >> 8, body.length & 255);
  else {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(body.length));
    header.push(0x80 | 127, ...length);
  }
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  const masked = body.map((byte, index) => byte ^ (mask[index % 4] as number));
  return Buffer.concat([Buffer.from(header), mask, masked]);
}

export interface ServerFrame {
  opcode: number;
  payload: Buffer;
  /** RSV1 is set (RFC 7692, 6). */
  isCompressed?: true;
}

/** The whole frames at the start of `bytes`, and what is left. */
export function decodeServerFrames(bytes: Buffer): { frames: ServerFrame[]; rest: Buffer } {
  const frames: ServerFrame[] = [];
  let at = 0;
  for (;;) {
    if (bytes.length < at + 2) break;
    let length = (bytes[at + 1] as number) & 127;
    let start = at + 2;
    if (length === 126) {
      if (bytes.length < at + 4) break;
      length = bytes.readUInt16BE(at + 2);
      start = at + 4;
    } else if (length === 127) {
      if (bytes.length < at + 10) break;
      length = Number(bytes.readBigUInt64BE(at + 2));
      start = at + 10;
    }
    if (bytes.length < start + length) break;
    const payload = bytes.subarray(start, start + length);
    const first = bytes[at] as number;
    const isCompressed = (first & 0x40) !== 0;
    frames.push({ opcode: first & 15, payload, ...(isCompressed ? { isCompressed } : {}) });
    at = start + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

export class RawClient {
  readonly socket: Socket;
  readonly frames: ServerFrame[] = [];
  /** The answer's head, once it is whole. */
  head: string | undefined;
  /** The peer sent its FIN. */
  ended = false;
  /** The socket is gone; an error code when it was reset. */
  closed = false;
  error: string | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #changed = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => this.#receive(bytes));
    socket.on("end", () => {
      this.ended = true;
      this.#changed();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    socket.on("close", () => {
      this.closed = true;
      this.#changed();
    });
  }

  static async connect(port: number, host = "127.0.0.1"): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Connects and shakes hands. */
  static async open(
    port: number,
    path = "/",
    headers: Record<string, string> = {},
  ): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.send(upgradeHead(path, headers));
    await client.until(() => client.head !== undefined, "the handshake's answer");
    return client;
  }

  get status(): number {
    return Number(this.head?.split(" ")[1]);
  }

  /** All that came behind the head and is no whole frame. */
  get rest(): string {
    return this.#bytes.toString("latin1");
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  sendFrame(opcode: number, payload: string | Uint8Array = "", fin = true): void {
    this.send(clientFrame(opcode, payload, fin));
  }

  /** Waits until what came makes `condition` true. */
  async until(condition: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), timeoutMs);
      this.#changed = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#changed = () => {};
        resolve();
      };
    });
  }

  /** The next frame that was not taken yet. */
  async nextFrame(): Promise<ServerFrame> {
    await this.until(() => this.frames.length > 0, "a frame");
    return this.frames.shift() as ServerFrame;
  }

  async closeFrame(): Promise<{ code: number; reason: string }> {
    await this.until(() => this.frames.some(({ opcode }) => opcode === 8), "a close frame");
    const frame = this.frames.find(({ opcode }) => opcode === 8) as ServerFrame;
    const code = frame.payload.length === 0 ? 1005 : frame.payload.readUInt16BE(0);
    return { code, reason: frame.payload.subarray(2).toString() };
  }

  destroy(): void {
    this.socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (this.head === undefined) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.head = this.#bytes.subarray(0, end + 2).toString("latin1");
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    if (this.status === 101) {
      const { frames, rest } = decodeServerFrames(this.#bytes);
      this.frames.push(...frames);
      this.#bytes = rest;
    }
    this.#changed();
  }
}
