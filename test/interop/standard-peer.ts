/**
 * A foreign client with the browsers' interface that runs in Node: undici's WebSocket, and the
 * one that newer versions of Node have built in. That interface knows neither fragments nor the
 * status of a refused handshake.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { ping, type WebSocket } from "undici";
import { type MessageKind, type Peer, Sightings } from "./peer.ts";

/** Where undici tells of pongs; its WebSocket does not. */
const PONGS = "undici:websocket:pong";

export type SocketClass = new (url: string, subprotocols: string[]) => WebSocket;

export class StandardPeer implements Peer {
  readonly sightings = new Sightings();
  readonly #socketClass: SocketClass;
  #socket: WebSocket | undefined;

  constructor(socketClass: SocketClass) {
    this.#socketClass = socketClass;
    subscribe(PONGS, this.#seePong);
  }

  /** It offers compression whether asked to or not. */
  open(url: string, subprotocols: string[]): void {
    const socket = new this.#socketClass(url, subprotocols);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let isOpen = false;
    socket.addEventListener("open", () => {
      isOpen = true;
      const extension = socket.extensions.split(";")[0] as string;
      this.sightings.add({ what: "open", subprotocol: socket.protocol, extension });
    });
    socket.addEventListener("message", ({ data }) => {
      const payload = Buffer.from(data);
      this.sightings.add({ what: typeof data === "string" ? "text" : "binary", payload });
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (isOpen) this.sightings.add({ what: "closed", code, reason });
      else this.sightings.add({ what: "refused", status: 0, body: "" });
    });
  }

  send(kind: MessageKind, payload: Buffer): void {
    this.#socket?.send(kind === "text" ? payload.toString() : new Uint8Array(payload));
  }

  sendFragments(): void {
    assert.fail("the interface of browsers sends no fragments");
  }

  ping(payload: Buffer): void {
    ping(this.#socket as WebSocket, payload);
  }

  close(code: number, reason: string): void {
    this.#socket?.close(code, reason);
  }

  async stop(): Promise<void> {
    unsubscribe(PONGS, this.#seePong);
    this.#socket?.close();
  }

  readonly #seePong = (message: unknown) => {
    const { payload, websocket } = message as { payload: Buffer; websocket: WebSocket };
    if (websocket === this.#socket) this.sightings.add({ what: "pong", payload });
  };
}
