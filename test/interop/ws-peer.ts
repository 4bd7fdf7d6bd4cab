/** The foreign client that is `ws`, in this process. */
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import WebSocket from "ws";
import { type MessageKind, type Peer, Sightings } from "./peer.ts";

export class WsPeer implements Peer {
  readonly sightings = new Sightings();
  #socket: WebSocket | undefined;

  open(url: string, subprotocols: string[], compression: boolean): void {
    const perMessageDeflate = compression ? { threshold: 0 } : false;
    const socket = new WebSocket(url, subprotocols, { perMessageDeflate });
    this.#socket = socket;
    let wasRefused = false;
    socket.on("unexpected-response", async (_request, response: IncomingMessage) => {
      wasRefused = true;
      const body = await text(response);
      this.sightings.add({ what: "refused", status: response.statusCode ?? 0, body });
    });
    socket.on("open", () => {
      const extension = socket.extensions.split(";")[0] as string;
      this.sightings.add({ what: "open", subprotocol: socket.protocol, extension });
    });
    socket.on("message", (payload: Buffer, isBinary) => {
      this.sightings.add({ what: isBinary ? "binary" : "text", payload });
    });
    socket.on("pong", (payload) => this.sightings.add({ what: "pong", payload }));
    socket.on("close", (code, reason) => {
      if (!wasRefused) this.sightings.add({ what: "closed", code, reason: reason.toString() });
    });
    socket.on("error", (error) => this.sightings.fail(error));
  }

  send(kind: MessageKind, payload: Buffer): void {
    this.#socket?.send(payload, { binary: kind === "binary" });
  }

  sendFragments(kind: MessageKind, parts: Buffer[]): void {
    for (const [index, part] of parts.entries()) {
      const fin = index === parts.length - 1;
      this.#socket?.send(part, { binary: kind === "binary", fin });
    }
  }

  ping(payload: Buffer): void {
    this.#socket?.ping(payload);
  }

  close(code: number, reason: string): void {
    this.#socket?.close(code, reason);
  }

  async stop(): Promise<void> {
    this.#socket?.terminate();
  }
}
