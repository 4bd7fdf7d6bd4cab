/**
 * For tests: service.py as a process, and a gateway's end of a link to it over node:net, with the
 * codec of src/link/. It says what it is told to and judges nothing.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { FrameWriter } from "../../src/link/body.ts";
import { decodeServiceFrame } from "../../src/link/decode.ts";
import { writeFrame } from "../../src/link/encode.ts";
import { isFault } from "../../src/link/fault.ts";
import type { GatewayFrame, ServiceFrame } from "../../src/link/frame.ts";
import { FrameSplitter } from "../../src/link/splitter.ts";
import { Waiters } from "../../test/support/waiters.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
export const folder = `${root}examples/link-python`;
export const vectors = `${root}docs/link-vectors.json`;

const { status } = spawnSync("python3", ["--version"]);
export const skip = status === 0 ? false : "there is no python3 on this machine";

const FRAME_BYTES_MAX = 1 << 20;
const environment = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };

/** A script of the example in a process of its own. */
export function startPython(script: string, parameters: string[]): ChildProcess {
  const stdio = ["ignore" as const, "pipe" as const, "pipe" as const];
  return spawn("python3", [script, ...parameters], { cwd: folder, env: environment, stdio });
}

export class PythonService {
  readonly process: ChildProcess;
  readonly #exit: Promise<[number | null]>;
  readonly #waiters = new Waiters();
  output = "";

  constructor(parameters: string[]) {
    this.process = startPython("service.py", parameters);
    this.#exit = once(this.process, "close") as Promise<[number | null]>;
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.#waiters.notify();
      });
    }
  }

  /** Where it listens, once it does: `127.0.0.1:4711`, or a path. */
  async address(): Promise<string> {
    const pattern = /^listening at link(?:\+unix)?:\/\/(.+)\n/m;
    await this.#waiters.until(
      () => pattern.test(this.output),
      () => `a service that listens: ${this.output}`,
    );
    return pattern.exec(this.output)?.[1] as string;
  }

  async says(pattern: RegExp): Promise<void> {
    await this.#waiters.until(
      () => pattern.test(this.output),
      () => `${pattern} in ${this.output}`,
    );
  }

  async exitCode(): Promise<number | null> {
    return (await this.#exit)[0];
  }

  async stop(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#exit;
  }
}

/** Any field of any frame that a service sends: a test compares the ones that it means. */
export type Said = Record<string, unknown> & { type: number };

export class GatewaySide {
  readonly #socket: Socket;
  readonly #splitter = new FrameSplitter(FRAME_BYTES_MAX);
  readonly #waiters = new Waiters();
  readonly #said: Said[] = [];
  isClosed = false;

  constructor(address: string) {
    const [host = "", port] = address.split(":");
    this.#socket = port === undefined ? connect(host) : connect(Number(port), host);
    this.#socket.on("data", (bytes: Uint8Array) => this.#take(bytes));
    // A link that the service gives up is reset, if frames of ours are on their way.
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.on("close", () => {
      this.isClosed = true;
      this.#waiters.notify();
    });
  }

  send(...frames: GatewayFrame[]): void {
    const writer = new FrameWriter();
    for (const frame of frames) writeFrame(writer, frame);
    this.#socket.write(writer.take());
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next frame, its payload as text. */
  async next(): Promise<Said> {
    await this.#waiters.until(
      () => this.#said.length > 0 || this.isClosed,
      () => "a frame",
    );
    const [said] = this.#said.splice(0, 1);
    if (said === undefined) throw new Error("the link was closed before the frame");
    return said;
  }

  /** What came until the service closed. */
  async rest(): Promise<Said[]> {
    await this.#waiters.until(
      () => this.isClosed,
      () => "a link that is closed",
    );
    return this.#said.splice(0);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(piece: Uint8Array): void {
    const fault = this.#splitter.push(piece, 0, piece.length, (bytes, start, end) => {
      const frame = decodeServiceFrame(bytes, start, end);
      if (isFault(frame)) return frame;
      this.#said.push(plain(frame));
      return undefined;
    });
    if (fault !== undefined) throw new Error(`the service sent ${fault.sentence}`);
    this.#waiters.notify();
  }
}

function plain(frame: ServiceFrame): Said {
  if (!("bytes" in frame)) return { ...frame };
  const { bytes, start, end, ...fields } = frame;
  return { ...fields, payload: Buffer.from(bytes.subarray(start, end)).toString() };
}
