/**
 * A foreign client in a process of its own, in whatever language. Bytes travel in hexadecimal,
 * and a dash is what has none. A line on its stdin is one of
 *
 *     open <url> <subprotocol,…> <on|off: compression>      close <code> <reason>
 *     text|binary|ping <payload>                            fragments <text|binary> <payload>…
 *
 * and a line on its stdout one of these; a status or code that it is not told is 0:
 *
 *     open <subprotocol> <extension>        refused <status> <body>
 *     text|binary|pong <payload>            closed <code> <reason>
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { type MessageKind, type Peer, type Sighting, Sightings } from "./peer.ts";

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

export class ProcessPeer implements Peer {
  readonly sightings = new Sightings();
  readonly #child: ChildProcess;
  readonly #over: Promise<unknown>;
  #stderr = "";

  constructor(command: string, parameters: string[] = []) {
    const child = spawn(command, parameters, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    running.add(child);
    this.#over = once(child, "close").finally(() => running.delete(child));
    child.on("error", (error) => this.sightings.fail(error));
    child.on("close", (code, signal) => {
      const end = `${command} ended with ${signal ?? code}`;
      this.sightings.fail(new Error(`${end}\n${this.#stderr}`));
    });
    // What is written to a process that has ended is told by its end.
    child.stdin?.on("error", (error) => this.sightings.fail(error));
    child.stderr?.on("data", (chunk) => {
      this.#stderr += String(chunk);
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const sighting = parse(line);
      if (sighting === undefined) this.sightings.fail(new Error(`${command} wrote: ${line}`));
      else this.sightings.add(sighting);
    });
  }

  open(url: string, subprotocols: string[], compression: boolean): void {
    this.#tell("open", url, subprotocols.join(",") || "-", compression ? "on" : "off");
  }

  send(kind: MessageKind, payload: Buffer): void {
    this.#tell(kind, encode(payload));
  }

  sendFragments(kind: MessageKind, parts: Buffer[]): void {
    this.#tell("fragments", kind, ...parts.map(encode));
  }

  ping(payload: Buffer): void {
    this.#tell("ping", encode(payload));
  }

  close(code: number, reason: string): void {
    this.#tell("close", String(code), encode(Buffer.from(reason)));
  }

  /** The end of its stdin is the end of it. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 2000);
    await this.#over;
    clearTimeout(timer);
  }

  #tell(...words: string[]): void {
    this.#child.stdin?.write(`${words.join(" ")}\n`);
  }
}

function encode(payload: Buffer): string {
  return payload.toString("hex") || "-";
}

function decode(word: string): Buffer {
  return word === "-" ? Buffer.alloc(0) : Buffer.from(word, "hex");
}

function parse(line: string): Sighting | undefined {
  const [what, first = "", second = ""] = line.split(" ");
  switch (what) {
    case "open":
      return { what, subprotocol: dashless(first), extension: dashless(second) };
    case "refused":
      return { what, status: Number(first), body: decode(second).toString() };
    case "text":
    case "binary":
    case "pong":
      return { what, payload: decode(first) };
    case "closed":
      return { what, code: Number(first), reason: decode(second).toString() };
    default:
      return undefined;
  }
}

function dashless(word: string): string {
  return word === "-" ? "" : word;
}
