/**
 * A client that keeps a few numbered messages under way, says the next one a little after an
 * answer, and remembers what the checker (history.ts) wants to know of it.
 */
import { once } from "node:events";
import WebSocket from "ws";
import type { ClientEnd, ClientStory } from "../history.ts";
import type { Publisher } from "./publisher.ts";

const UNDER_WAY = 3;
/** Now and then one that takes more than a packet. */
const LONG_SHARE = 0.02;
const LONG_BYTES = 20_000;
const SHORT_BYTES_MAX = 100;

/** Where clients connect, and who pushes to those that do. */
export interface Door {
  url: string;
  publisher: Publisher;
}

export interface Manner {
  /** From an answer to the next message at the most; half of it on average. */
  thinkMsMax: number;
  /** Without an answer for so long it says something more; undefined: none is ever lost. */
  patienceMs: number | undefined;
  random: () => number;
}

export class Talker {
  readonly name: string;
  readonly answers: number[] = [];
  readonly pushes: number[] = [];
  sent = 0;
  /** What came is neither an answer nor a push. */
  readonly oddities: string[] = [];
  end: ClientEnd = { kind: "open" };
  readonly #socket: WebSocket;
  readonly #publisher: Publisher;
  readonly #random: () => number;
  readonly #thinkMsMax: number;
  #firstPush = 1;
  #patience: NodeJS.Timeout | undefined;
  #isLeaving = false;
  #isSilent = false;

  private constructor({ url, publisher }: Door, name: string, manner: Manner) {
    this.name = name;
    this.#publisher = publisher;
    this.#random = manner.random;
    this.#thinkMsMax = manner.thinkMsMax;
    this.#socket = new WebSocket(`${url}?name=${name}`, { perMessageDeflate: false });
  }

  static async open(door: Door, name: string, manner: Manner): Promise<Talker> {
    const { publisher } = door;
    const talker = new Talker(door, name, manner);
    const socket = talker.#socket;
    socket.on("message", (bytes: Buffer) => talker.#hear(bytes.toString()));
    socket.on("close", (code, reason) => talker.#close(code, reason.toString()));
    await once(socket, "open");
    // How it ends is told by "close".
    socket.on("error", () => {});
    talker.#firstPush = publisher.next;
    for (let count = 0; count < UNDER_WAY; count += 1) talker.say();
    if (manner.patienceMs !== undefined) talker.#beImpatient(manner.patienceMs);
    return talker;
  }

  get isOpen(): boolean {
    return this.end.kind === "open";
  }

  /** As far as answers still come: they come in order. */
  get isAnswered(): boolean {
    return this.#lastAnswer === this.sent;
  }

  get #lastAnswer(): number {
    return this.answers.at(-1) ?? 0;
  }

  say(): void {
    if (this.#socket.readyState !== WebSocket.OPEN || this.#isLeaving || this.#isSilent) return;
    this.sent += 1;
    const isLong = this.#random() < LONG_SHARE;
    const bytes = isLong ? LONG_BYTES : Math.floor(this.#random() * SHORT_BYTES_MAX);
    this.#socket.send(`${this.name} ${this.sent} ${"x".repeat(bytes)}`);
  }

  /** It says nothing more. */
  hush(): void {
    this.#isSilent = true;
  }

  /** By itself, whatever is not answered yet. */
  leave(): void {
    this.#isLeaving = true;
    this.#socket.close(1000);
  }

  /** `isEnding`: the gateway was told to stop, and the service is well. */
  story(isEnding: (talker: Talker) => boolean): ClientStory {
    const { name, sent, answers, pushes, end } = this;
    const pushesExpected = { first: this.#firstPush, last: this.#publisher.last };
    const settled = isEnding(this);
    const told: ClientEnd = end.kind === "closed" ? { ...end, settled } : end;
    return { name, sent, answers, pushes, pushesExpected, end: told };
  }

  #hear(text: string): void {
    const [kind, number] = text.split(" ");
    if (kind === "push") this.pushes.push(Number(number));
    else if (kind !== "answer") this.oddities.push(text);
    else {
      // Those that it went past are lost.
      const settled = Math.max(1, Number(number) - this.#lastAnswer);
      this.answers.push(Number(number));
      for (let count = 0; count < Math.min(settled, UNDER_WAY); count += 1) {
        setTimeout(() => this.#goOn(), this.#random() * this.#thinkMsMax);
      }
    }
  }

  #goOn(): void {
    if (this.sent - this.#lastAnswer < UNDER_WAY) this.say();
  }

  #beImpatient(patienceMs: number): void {
    let before = 0;
    this.#patience = setInterval(() => {
      if (this.answers.length === before && !this.isAnswered) this.say();
      before = this.answers.length;
    }, patienceMs);
  }

  #close(code: number, reason: string): void {
    const hasLeft = this.#isLeaving && code === 1000 && reason === "";
    clearInterval(this.#patience);
    this.end = hasLeft ? { kind: "left" } : { kind: "closed", code, reason, settled: false };
  }
}
