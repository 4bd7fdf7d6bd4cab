/**
 * A TCP proxy on a free port that spoils what goes through it, as it is told at run time: later,
 * slower, in pieces, not at all, or broken off. Each direction of a connection holds one read at
 * the most. It knows nothing of what it carries.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay, setImmediate as nextIteration } from "node:timers/promises";

/** What happens to bytes in both directions; all zero: nothing. */
export interface Spoiling {
  latencyMs: number;
  /** Up to so much more, another for each read. */
  jitterMs: number;
  /** 0: as fast as it goes. */
  bytesPerSecond: number;
  /** The longest piece that is written at once; 0: a read is written as it came. */
  pieceBytes: number;
}

export const CLEAN: Readonly<Spoiling> = Object.freeze({
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: 0,
  pieceBytes: 0,
});

export class FaultProxy {
  port = 0;
  spoiling: Readonly<Spoiling> = CLEAN;
  /** Connections that came, and how many there were at once at the most. */
  accepted = 0;
  peak = 0;
  readonly #targetPort: number;
  readonly #random: () => number;
  /** Both sockets of each connection. */
  readonly #pairs = new Map<Socket, Socket>();
  #server: Server | undefined;
  /** Set while nothing is forwarded. */
  #frozen: Promise<void> | undefined;
  #thaw: () => void = () => {};

  private constructor(targetPort: number, random: () => number) {
    this.#targetPort = targetPort;
    this.#random = random;
  }

  static async start(targetPort: number, random: () => number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort, random);
    await proxy.mend();
    return proxy;
  }

  /** Those that whoever made them has not ended: an end is not forwarded while it is frozen. */
  get connections(): number {
    return [...this.#pairs.keys()].filter(({ readableEnded }) => !readableEnded).length;
  }

  /** Every connection ends, and new ones are refused until `mend`. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    this.#endAll((socket) => socket.destroy());
    await closed;
  }

  /** Every connection is reset; new ones are welcome. */
  reset(): void {
    this.#endAll((socket) => socket.resetAndDestroy());
  }

  /** Sockets stay and are opened, and not a byte goes through until `mend`. */
  freeze(): void {
    this.#frozen ??= new Promise((resolve) => {
      this.#thaw = resolve;
    });
  }

  /** Listens, and forwards everything as it comes. */
  async mend(): Promise<void> {
    this.spoiling = CLEAN;
    this.#frozen = undefined;
    this.#thaw();
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: true }, (client) => this.#open(client));
    this.#server = server;
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#frozen = undefined;
    this.#thaw();
    await this.cut();
  }

  #endAll(end: (socket: Socket) => void): void {
    for (const [client, service] of [...this.#pairs]) {
      end(client);
      end(service);
    }
  }

  #open(client: Socket): void {
    const service = connect({
      port: this.#targetPort,
      host: "127.0.0.1",
      allowHalfOpen: true,
      noDelay: true,
    });
    client.setNoDelay(true);
    this.#pairs.set(client, service);
    this.accepted += 1;
    this.peak = Math.max(this.peak, this.connections);
    for (const [socket, other] of [
      [client, service],
      [service, client],
    ] as const) {
      // Whatever ended one of the two, the other learns of it as an end without more.
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#pairs.delete(client);
        if (socket.errored !== null || !socket.readableEnded) other.destroy();
      });
      void this.#forward(socket, other);
    }
  }

  async #forward(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const bytes of from) await this.#pass(bytes as Buffer, to);
      await this.#frozen;
      if (!to.destroyed) to.end();
    } catch {
      // One of the two broke: "close" has told the other.
    }
  }

  async #pass(bytes: Buffer, to: Socket): Promise<void> {
    const { latencyMs, jitterMs, bytesPerSecond } = this.spoiling;
    const waitMs =
      latencyMs +
      jitterMs * this.#random() +
      (bytesPerSecond === 0 ? 0 : (bytes.length / bytesPerSecond) * 1000);
    if (waitMs > 0) await delay(waitMs);
    const pieceBytes = this.spoiling.pieceBytes || bytes.length;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      // It may have been frozen while this waited, and again since.
      while (this.#frozen !== undefined) await this.#frozen;
      if (to.destroyed) return;
      if (!to.write(bytes.subarray(at, at + pieceBytes))) await drained(to);
      // So that pieces are not read as one.
      if (pieceBytes < bytes.length) await nextIteration();
    }
  }
}

/** Or closed: then writing shows it. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      socket.off("drain", settle);
      socket.off("close", settle);
      resolve();
    };
    socket.on("drain", settle);
    socket.on("close", settle);
  });
}
