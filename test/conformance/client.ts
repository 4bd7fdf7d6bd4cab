/**
 * The suite's client: shakes hands, writes exactly the pieces it is given and keeps what comes
 * back. It answers nothing by itself and never closes before the gateway has.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { upgradeHead } from "../support/raw-client.ts";
import type { Extensions } from "./case.ts";
import { FrameReader, type ServerFrame } from "./frame-reader.ts";

const TIMEOUT_MS = 120_000;
/** What may wait in this process before writing stops for a while. */
const UNSENT_BYTES_MAX = 1024 * 1024;

export class ConformanceClient {
  /** The gateway sent its FIN. */
  ended = false;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #head: Buffer | undefined = Buffer.alloc(0);
  #answer = "";
  #failure: Error | undefined;
  #closed = false;
  #changed = () => {};

  private constructor(socket: Socket, windowBits: number | undefined) {
    this.#socket = socket;
    this.#reader = new FrameReader(windowBits);
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("end", () => {
      this.ended = true;
      this.#changed();
    });
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => {
      this.#closed = true;
      this.#changed();
    });
  }

  static async open(port: number, extensions: Extensions | undefined): Promise<ConformanceClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    await once(socket, "connect");
    const client = new ConformanceClient(socket, extensions?.windowBits);
    const offer = extensions && { "Sec-WebSocket-Extensions": extensions.offer };
    socket.write(upgradeHead("/", offer));
    await client.#until(() => client.#head === undefined, "the handshake's answer");
    client.#checkAnswer(extensions);
    return client;
  }

  get frames(): readonly ServerFrame[] {
    return this.#reader.frames;
  }

  /** Writes a piece, and lets the gateway's turn come before the next one can be written. */
  async write(piece: Uint8Array): Promise<void> {
    this.#socket.write(piece);
    await nextTurn();
    if (this.#socket.writableLength < UNSENT_BYTES_MAX) return;
    await this.#until(() => this.#socket.writableLength === 0, "room to write", "drain");
  }

  /** Waits for that many frames in all. */
  async receive(count: number): Promise<void> {
    await this.#until(() => this.frames.length >= count || this.ended, `frame ${count}`);
  }

  /** Waits until the gateway ended the connection, then ends it as well: nothing is left over. */
  async finish(): Promise<void> {
    await this.#until(() => this.ended, "the end of the stream");
    this.#socket.end();
    await this.#until(() => this.#closed, "the end of the socket");
    assert.equal(this.#reader.unread, 0, "no frame was left unfinished");
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      const frames = this.#head === undefined ? chunk : this.#receiveHead(this.#head, chunk);
      if (frames.length > 0) this.#reader.add(frames);
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#changed();
  }

  #receiveHead(before: Buffer, chunk: Buffer): Buffer {
    const bytes = Buffer.concat([before, chunk]);
    const end = bytes.indexOf("\r\n\r\n");
    this.#head = end < 0 ? bytes : undefined;
    if (end < 0) return Buffer.alloc(0);
    this.#answer = bytes.toString("latin1", 0, end + 2);
    return bytes.subarray(end + 4);
  }

  /** RFC 7692, 7.1: the parameters that were agreed upon, each once. */
  #checkAnswer(extensions: Extensions | undefined): void {
    assert.match(this.#answer, /^HTTP\/1\.1 101 /);
    const fields = this.#answer.matchAll(/^sec-websocket-extensions: *(.*)\r$/gim);
    const values = Array.from(fields, ([, value]) => value as string);
    const parts = values.flatMap((value) => value.split(/ *; */));
    const expected = extensions === undefined ? [] : ["permessage-deflate", ...extensions.answer];
    assert.deepEqual(parts.sort(), expected.sort(), "the extensions that were negotiated");
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#changed();
  }

  async #until(condition: () => boolean, what: string, event?: "drain"): Promise<void> {
    const done = () => condition() || this.#failure !== undefined || this.#closed;
    if (!done()) {
      await new Promise<void>((resolve, reject) => {
        const inVain = new Error(`waited in vain for ${what}`);
        const timer = setTimeout(() => reject(inVain), TIMEOUT_MS);
        const look = () => {
          if (!done()) return;
          clearTimeout(timer);
          this.#changed = () => {};
          if (event !== undefined) this.#socket.off(event, look);
          resolve();
        };
        this.#changed = look;
        if (event !== undefined) this.#socket.on(event, look);
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
    assert.ok(condition(), `the socket was closed before ${what}`);
  }
}
