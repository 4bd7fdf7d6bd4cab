/**
 * The body of one request: read when the call has been checked, within its own limit and within
 * what all bodies together may hold. Also ends a request whose body nobody wants to read.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Fault } from "./outcome.ts";

/** An unwanted body up to this size is read away, so that its connection can be used again. */
const DISCARDED_BYTES_MAX = 65_536;

/** Shared by all requests of a server. */
export interface BodyBudget {
  heldBytes: number;
  heldBytesMax: number;
}

export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #budget: BodyBudget;
  readonly #expectsContinue: boolean;
  #heldBytes = 0;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    budget: BodyBudget,
    expectsContinue: boolean,
  ) {
    this.#request = request;
    this.#response = response;
    this.#budget = budget;
    this.#expectsContinue = expectsContinue;
  }

  /** `setting` is the name of the limit. What was read is charged until `release`. */
  read(bytesMax: number, setting: string): Promise<Uint8Array | Fault> {
    const tooLarge = new Fault(
      413,
      "PayloadTooLarge",
      `The body is larger than the ${bytesMax} bytes that limits.${setting} allows; ` +
        "send less, or raise the limit.",
      setting,
    );
    if (Number(this.#request.headers["content-length"] ?? 0) > bytesMax) {
      return Promise.resolve(tooLarge);
    }
    if (this.#expectsContinue) this.#response.writeContinue();
    return this.#collect(bytesMax, tooLarge);
  }

  #collect(bytesMax: number, tooLarge: Fault): Promise<Uint8Array | Fault> {
    const request = this.#request;
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      const settle = (outcome: Uint8Array | Fault) => {
        request.off("data", take).off("end", end).off("close", gone).off("error", gone);
        resolve(outcome);
      };
      const take = (chunk: Buffer) => {
        if (this.#heldBytes + chunk.length > bytesMax) return settle(tooLarge);
        if (!this.#charge(chunk.length)) return settle(busy);
        chunks.push(chunk);
      };
      const end = () => settle(plainBytes(Buffer.concat(chunks)));
      const gone = () => settle(callerGone);
      request.on("data", take).on("end", end).on("close", gone).on("error", gone);
    });
  }

  #charge(bytes: number): boolean {
    if (this.#budget.heldBytes + bytes > this.#budget.heldBytesMax) return false;
    this.#budget.heldBytes += bytes;
    this.#heldBytes += bytes;
    return true;
  }

  release(): void {
    this.#budget.heldBytes -= this.#heldBytes;
    this.#heldBytes = 0;
  }

  /** True if more of the body is coming than is worth reading away. */
  get isUnwanted(): boolean {
    const { complete, headers } = this.#request;
    if (complete) return false;
    if (headers["transfer-encoding"] !== undefined) return true;
    return Number(headers["content-length"] ?? 0) > DISCARDED_BYTES_MAX;
  }

  /**
   * Ends a response whose bytes have been written, and closes the connection: not before the
   * client stopped sending, or it would see a reset instead of the answer (RFC 9112, 9.6).
   */
  linger(timeoutMs: number): void {
    const request = this.#request;
    const response = this.#response;
    const end = () => {
      clearTimeout(timer);
      response.end();
    };
    const timer = setTimeout(end, timeoutMs);
    request.once("end", end).once("close", end).resume();
  }
}

const busy = new Fault(
  503,
  "Busy",
  "The bodies of other calls fill the memory that is set apart for them; try again in a second.",
  undefined,
  { "retry-after": "1" },
);

const callerGone = new Fault(400, "CallerGone", "The connection ended before the body did.");

/** Nobody behind the API shall depend on what a Buffer does otherwise than a Uint8Array. */
function plainBytes({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
