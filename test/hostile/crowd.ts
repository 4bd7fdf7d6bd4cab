/**
 * Many clients at once that do nothing but hold their sockets and send what a test says, all of
 * them the same amount. What comes back is counted and thrown away; nobody answers pings.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { upgradeHead } from "../support/raw-client.ts";

/** Fewer than a listening socket's queue holds: nobody is to wait for a second SYN. */
const CONNECTING_MAX = 100;

export interface CrowdOptions {
  /** They do not end when the gateway does, so that it has to throw them out. */
  allowHalfOpen?: boolean;
  /** Called whenever one has connected. */
  connected?: () => void;
}

export class Crowd {
  readonly sockets: Socket[] = [];
  readonly #port: number;
  readonly #options: CrowdOptions;

  constructor(port: number, options: CrowdOptions = {}) {
    this.#port = port;
    this.#options = options;
  }

  /** So many more connect and, unless `path` is undefined, shake hands; all have their answer. */
  async grow(count: number, path?: string): Promise<void> {
    let left = count;
    const lane = async () => {
      while (left > 0) {
        left -= 1;
        this.sockets.push(await this.#open(path));
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONNECTING_MAX, count) }, lane));
  }

  /** Everyone sends these bytes; resolves when the kernel has them all. */
  async send(bytesOf: (index: number) => Uint8Array): Promise<void> {
    const sent = this.sockets.map(
      (socket, index) =>
        new Promise<void>((resolve, reject) => {
          socket.write(bytesOf(index), (error) => (error ? reject(error) : resolve()));
        }),
    );
    await Promise.all(sent);
  }

  /** Everyone is gone, by a reset, and this crowd can grow anew. */
  async leave(): Promise<void> {
    const sockets = this.sockets.splice(0);
    await Promise.all(
      sockets.map(async (socket) => {
        if (socket.closed) return;
        const closed = once(socket, "close");
        socket.resetAndDestroy();
        await closed;
      }),
    );
  }

  async #open(path: string | undefined): Promise<Socket> {
    const { allowHalfOpen = false, connected } = this.#options;
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true, allowHalfOpen });
    await once(socket, "connect");
    connected?.();
    // Who stays when it should go is reset.
    if (allowHalfOpen) socket.on("error", () => {});
    if (path !== undefined) {
      socket.write(upgradeHead(path));
      const [answer] = (await once(socket, "data")) as [Buffer];
      if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) {
        throw new Error(`not let in: ${answer.toString("latin1")}`);
      }
    }
    // What comes is thrown away, but read, so that the end is noticed.
    socket.resume();
    return socket;
  }
}
