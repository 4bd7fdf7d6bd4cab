/**
 * A stream through the receiver of `ws`, held to the limits that ours is held to, with its events
 * written down as ours are. It judges nothing.
 */
import * as ws from "ws";
import { streamRules } from "./client-streams.ts";

interface WsReceiver {
  readonly errored: Error | null;
  write(bytes: Uint8Array, done?: (error: Error | null | undefined) => void): boolean;
  on(event: "message", listener: (bytes: Buffer, isBinary: boolean) => void): this;
  on(event: "ping" | "pong", listener: (bytes: Buffer) => void): this;
  on(event: "conclude", listener: (code: number, reason: Buffer) => void): this;
  on(event: "error", listener: () => void): this;
}

interface WsDeflate {
  accept(offers: Record<string, boolean[]>[]): unknown;
  cleanup(): void;
}

/** They are exported, and the types do not say so. */
const { PerMessageDeflate, Receiver } = ws as unknown as {
  PerMessageDeflate: new (options: object) => WsDeflate;
  Receiver: new (options: object) => WsReceiver;
};

const OPTIONS = {
  isServer: true,
  maxPayload: streamRules.messageBytesMax,
  maxFragments: streamRules.framesPerMessageMax,
  skipUTF8Validation: false,
  // All that is not compressed is reported before `write` returns.
  allowSynchronousEvents: true,
};

/** The symbol under which its errors have the close code. */
let statusCode: symbol | undefined;

/** Without compression nothing has to be waited for. */
export function wsEvents(pieces: Iterable<Uint8Array>): string[] {
  const { receiver, events, isOver } = listenTo(new Receiver(OPTIONS));
  for (const piece of pieces) {
    // It unmasks in place, and the bytes are needed again.
    receiver.write(Buffer.from(piece));
    const { errored } = receiver;
    if (errored !== null) events.push(`fail ${closeCodeOf(errored)}`);
    if (isOver() || errored !== null) break;
  }
  return events;
}

export async function wsCompressedEvents(pieces: Iterable<Uint8Array>): Promise<string[]> {
  const deflate = new PerMessageDeflate({ isServer: true, maxPayload: OPTIONS.maxPayload });
  deflate.accept([{ client_no_context_takeover: [true], server_no_context_takeover: [true] }]);
  const extensions = { "permessage-deflate": deflate };
  const { receiver, events, isOver } = listenTo(new Receiver({ ...OPTIONS, extensions }));
  for (const piece of pieces) {
    const error = await new Promise<Error | null | undefined>((resolve) => {
      receiver.write(Buffer.from(piece), resolve);
    });
    if (error) events.push(`fail ${closeCodeOf(error)}`);
    if (isOver() || error) break;
  }
  deflate.cleanup();
  return events;
}

function listenTo(receiver: WsReceiver) {
  const events: string[] = [];
  let isOver = false;
  receiver.on("message", (bytes, isBinary) => {
    events.push(`message ${isBinary ? 2 : 1} ${bytes.toString("hex")}`);
  });
  receiver.on("ping", (bytes) => events.push(`ping 9 ${bytes.toString("hex")}`));
  receiver.on("pong", (bytes) => events.push(`pong 10 ${bytes.toString("hex")}`));
  receiver.on("conclude", (code, reason) => {
    isOver = true;
    const hasCode = code !== 1005;
    const payload = hasCode ? code.toString(16).padStart(4, "0") + reason.toString("hex") : "";
    events.push(`close 8 ${code} ${payload}`);
  });
  // It comes late; what there is to know of it stands in `errored` at once.
  receiver.on("error", () => {});
  return { receiver, events, isOver: () => isOver };
}

function closeCodeOf(error: Error): unknown {
  const symbols = Object.getOwnPropertySymbols(error);
  statusCode ??= symbols.find(({ description }) => description === "status-code");
  return statusCode === undefined ? error : Reflect.get(error, statusCode);
}
