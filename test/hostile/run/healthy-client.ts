/**
 * A client that behaves, all the while: it sends numbered messages one by one and checks that
 * each comes back whole and in its turn. What is wrong it remembers, and goes on.
 */
import { createHash } from "node:crypto";
import { WebSocket } from "ws";

const INTERVAL_MS = 10;
const ANSWER_TIMEOUT_MS = 30_000;

export class HealthyClient {
  readonly path: string;
  readonly wrongs: string[] = [];
  echoed = 0;
  slowestMs = 0;
  readonly #socket: WebSocket;
  #isStopping = false;
  #running: Promise<void> | undefined;

  private constructor(path: string, socket: WebSocket) {
    this.path = path;
    this.#socket = socket;
    socket.on("error", (error) => this.wrongs.push(`error: ${error.message}`));
    socket.on("close", (code) => {
      if (!this.#isStopping) this.wrongs.push(`closed with ${code}`);
    });
  }

  static async open(port: number, path: string): Promise<HealthyClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    const client = new HealthyClient(path, socket);
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    client.#running = client.#run();
    return client;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    await new Promise((resolve) => {
      this.#socket.once("close", resolve);
      this.#socket.close(1000);
    });
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#isStopping && this.wrongs.length === 0; number += 1) {
      const message = messageOf(number);
      const sentMs = performance.now();
      const answer = await this.#exchange(message);
      if (answer === undefined) return;
      this.slowestMs = Math.max(this.slowestMs, performance.now() - sentMs);
      if (answer.equals(message)) this.echoed += 1;
      else this.wrongs.push(`message ${number} came back as another`);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  }

  #exchange(message: Buffer): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const settle = (answer: Buffer | undefined, wrong?: string) => {
        clearTimeout(timer);
        this.#socket.off("message", receive);
        this.#socket.off("close", leave);
        if (wrong !== undefined) this.wrongs.push(wrong);
        resolve(answer);
      };
      const receive = (answer: Buffer) => settle(answer);
      const leave = () => settle(undefined);
      const late = () => settle(undefined, `no answer in ${ANSWER_TIMEOUT_MS} ms`);
      const timer = setTimeout(late, ANSWER_TIMEOUT_MS);
      this.#socket.once("message", receive);
      this.#socket.once("close", leave);
      this.#socket.send(message);
    });
  }
}

/** Up to 20 kB that no other number has. */
function messageOf(number: number): Buffer {
  const block = createHash("sha256").update(String(number)).digest();
  return Buffer.concat(Array.from({ length: 1 + ((number * 37) % 640) }, () => block));
}
