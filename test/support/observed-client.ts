/**
 * A real client (`ws`) that keeps what it is sent and how it ended: text as strings, binary as
 * bytes.
 */
import type { IncomingMessage } from "node:http";
import { after } from "node:test";
import WebSocket from "ws";
import { Waiters } from "./waiters.ts";

export interface ClientOptions {
  subprotocols?: string[];
  headers?: Record<string, string>;
}

/** What a handshake was answered with, if not with 101. */
export interface RefusedHandshake {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
}

const running = new Set<WebSocket>();
after(() => {
  for (const socket of running) socket.terminate();
});

export class ObservedClient {
  readonly socket: WebSocket;
  readonly messages: (string | Buffer)[] = [];
  closed: { code: number; reason: string } | undefined;
  readonly #waiters = new Waiters();

  private constructor(url: string, options: ClientOptions) {
    const { subprotocols = [], headers = {} } = options;
    this.socket = new WebSocket(url, subprotocols, { headers, perMessageDeflate: false });
    running.add(this.socket);
    this.socket.on("message", (bytes: Buffer, isBinary: boolean) => {
      this.messages.push(isBinary ? bytes : bytes.toString());
      this.#waiters.notify();
    });
    this.socket.on("close", (code, reason) => {
      running.delete(this.socket);
      this.closed = { code, reason: reason.toString() };
      this.#waiters.notify();
    });
  }

  static async open(url: string, options: ClientOptions = {}): Promise<ObservedClient> {
    const client = new ObservedClient(url, options);
    await new Promise((resolve, reject) => {
      client.socket.once("open", resolve);
      client.socket.once("error", reject);
    });
    client.socket.on("error", () => client.#waiters.notify());
    return client;
  }

  /** Connects to where it is not let in. */
  static async refused(url: string, options: ClientOptions = {}): Promise<RefusedHandshake> {
    const { socket } = new ObservedClient(url, options);
    return new Promise((resolve, reject) => {
      socket.once("open", () => reject(new Error("the client was let in")));
      socket.once("error", reject);
      socket.once("unexpected-response", async (_request, response: IncomingMessage) => {
        let body = "";
        for await (const chunk of response) body += chunk;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
  }

  send(message: string | Uint8Array): void {
    this.socket.send(message);
  }

  until(condition: () => boolean, what: string, timeoutMs?: number): Promise<void> {
    const state = () => {
      const last = this.messages.slice(-3).map((message) => String(message).slice(0, 80));
      return `${what}; ${this.messages.length} messages came, the last: ${last.join(" | ")}; ${
        this.closed === undefined ? "still open" : JSON.stringify(this.closed)
      }`;
    };
    return this.#waiters.until(condition, state, timeoutMs);
  }

  async received(count: number, timeoutMs?: number): Promise<(string | Buffer)[]> {
    await this.until(() => this.messages.length >= count, `${count} messages`, timeoutMs);
    return this.messages;
  }

  async untilClosed(timeoutMs?: number): Promise<{ code: number; reason: string }> {
    await this.until(() => this.closed !== undefined, "the end", timeoutMs);
    return this.closed as { code: number; reason: string };
  }

  /** With a close handshake. */
  async close(code = 1000): Promise<void> {
    this.socket.close(code);
    await this.untilClosed();
  }
}
