/**
 * The client's side of the opening handshake (RFC 6455, 4.1): the request, and whether the answer
 * accepts it. All connections of a process use one key: the server's work is the same, and a
 * proof is made once.
 */
import { acceptKey } from "../websocket/handshake.ts";
import type { Target } from "./options.ts";

/** As much as a server may say before its head is taken to have no end. */
const RESPONSE_HEAD_BYTES_MAX = 16 << 10;

const HEAD_END = "\r\n\r\n";

/** What is to be made of the bytes that came: their head ends at `length`, or it is refused. */
export type HandshakeAnswer =
  | { readonly is: "unfinished" }
  | { readonly is: "accepted"; readonly length: number }
  | { readonly is: "refused"; readonly kind: string };

const UNFINISHED: HandshakeAnswer = { is: "unfinished" };

export class ClientHandshake {
  readonly request: Uint8Array;
  readonly #accept: string;
  /** Fields that no answer may have, since nothing was asked that they answer. */
  readonly #unasked: string[];
  /** The head that was accepted last: with one key for all, the next is mostly the same. */
  #accepted = "";

  constructor(target: Target, headers: string[], key: string) {
    const lines = [
      `GET ${target.path} HTTP/1.1`,
      `Host: ${target.host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${key}`,
      "Sec-WebSocket-Version: 13",
      ...headers,
    ];
    this.request = Buffer.from(`${lines.join("\r\n")}${HEAD_END}`, "latin1");
    this.#accept = acceptKey(key);
    this.#unasked = ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"].filter(
      (name) => !headers.some((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`)),
    );
  }

  read(bytes: Buffer): HandshakeAnswer {
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) {
      return bytes.length > RESPONSE_HEAD_BYTES_MAX
        ? { is: "refused", kind: "an endless response" }
        : UNFINISHED;
    }
    const head = bytes.toString("latin1", 0, end);
    const length = end + HEAD_END.length;
    if (head === this.#accepted) return { is: "accepted", length };
    const status = /^HTTP\/1\.1 (\d{3})(?: |\r\n|$)/.exec(head)?.[1];
    if (status === undefined) return { is: "refused", kind: "no HTTP" };
    if (status !== "101") return { is: "refused", kind: `http ${status}` };
    const fault = this.#faultOf(head);
    if (fault !== undefined) return { is: "refused", kind: fault };
    this.#accepted = head;
    return { is: "accepted", length };
  }

  /** The first of the rules of RFC 6455, 4.1, that an answer with 101 breaks. */
  #faultOf(head: string): string | undefined {
    if (fieldOf(head, "Upgrade")?.toLowerCase() !== "websocket") return "no upgrade";
    if (!/(?:^|[ \t,])upgrade(?:$|[ \t,])/i.test(fieldOf(head, "Connection") ?? ""))
      return "no upgrade";
    if (fieldOf(head, "Sec-WebSocket-Accept") !== this.#accept) return "wrong accept key";
    const unasked = this.#unasked.find((name) => fieldOf(head, name) !== undefined);
    return unasked === undefined ? undefined : `${unasked} unasked`;
  }
}

function fieldOf(head: string, name: string): string | undefined {
  return new RegExp(`\r\n${name}:[ \t]*(.*?)[ \t]*(?:\r\n|$)`, "i").exec(head)?.[1];
}
