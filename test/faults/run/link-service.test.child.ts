/**
 * An instance of the service, over links: it writes down what it takes, and answers each message
 * by its number. It is made of the codec alone, since the SDK could not break the rules. Its
 * parameters and what it is told are those of http-service.test.child.ts.
 */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { FrameWriter } from "../../../src/link/body.ts";
import { decodeGatewayFrame } from "../../../src/link/decode.ts";
import { writeFrame } from "../../../src/link/encode.ts";
import { isFault } from "../../../src/link/fault.ts";
import * as frames from "../../../src/link/frame.ts";
import { FrameSplitter } from "../../../src/link/splitter.ts";
import type { EventName } from "../history.ts";
import type { Behaviour } from "./carriers.ts";
import { describeEvent, RecordFile } from "./record.ts";

const FRAME_BYTES_MAX = 1 << 20;
const LISTEN_AGAIN_MS = 20;
/** So that there is always something under way when an instance dies. */
const WORK_MS_MAX = 6;
const DAWDLE_MS_MAX = 80;
/** Each of so many messages is answered as the behaviour says: a fault costs the whole link. */
const SPOILED_EVERY = 8;

const [port = "0", file = ""] = process.argv.slice(2);
const record = new RecordFile(file);
let behaviour: Behaviour = "well";
let spoiled = 0;
let handled = 0;

process.on("message", (told: Behaviour) => {
  behaviour = told;
});
process.on("disconnect", () => process.exit());

const server = createServer((socket) => new Link(socket));
server.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EADDRINUSE" || port === "0") throw error;
  setTimeout(listen, LISTEN_AGAIN_MS);
});
server.on("listening", () => process.send?.((server.address() as AddressInfo).port));
listen();

function listen(): void {
  server.listen(Number(port), "127.0.0.1");
}

type Event = frames.GatewayFrame & { channel: number };

class Link {
  readonly #socket: Socket;
  /** The connection of each channel, and the event of it that is under way last. */
  readonly #channels = new Map<number, { connectionId: string; last: Promise<void> }>();

  constructor(socket: Socket) {
    this.#socket = socket;
    const splitter = new FrameSplitter(FRAME_BYTES_MAX);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      splitter.push(chunk, 0, chunk.length, (bytes, start, end) => {
        const own = Buffer.from(bytes.subarray(start, end));
        const frame = decodeGatewayFrame(own, 0, own.length);
        // The gateway breaks no rules, whatever was done to it.
        if (isFault(frame)) throw new Error(frame.sentence);
        this.#take(frame);
        return undefined;
      });
    });
  }

  #take(frame: frames.GatewayFrame): void {
    switch (frame.type) {
      case frames.HELLO: {
        const credit = { eventsMax: 256, bytesMax: 1 << 20, frameBytesMax: FRAME_BYTES_MAX };
        this.#send({ type: frames.WELCOME, version: frames.VERSION, ...credit });
        return;
      }
      case frames.PING:
        this.#send({ type: frames.PONG, token: frame.token });
        return;
      case frames.CONNECT:
        void this.#connect(frame);
        return;
      case frames.OPEN: {
        const { channel, connectionId } = frame;
        this.#channels.set(channel, { connectionId, last: Promise.resolve() });
        return;
      }
      case frames.CLOSE:
        this.#channels.delete(frame.channel);
        return;
      case frames.CONNECTED:
      case frames.MESSAGE_TEXT:
      case frames.DISCONNECTED: {
        const channel = this.#channels.get(frame.channel);
        if (channel === undefined) return;
        channel.last = channel.last.then(() => this.#handle(channel.connectionId, frame));
      }
    }
  }

  async #connect({ bytes, connectionId, end, request, start }: frames.Connect): Promise<void> {
    const text = Buffer.from(bytes.subarray(start, end)).toString();
    const said = describeEvent("connect", connectionId, `${connectionId}/connect`, 0, text);
    record.write({ ...said, acknowledged: true });
    await work();
    const body = Buffer.from(JSON.stringify({ userId: said.client, groups: ["everybody"] }));
    const answer: frames.ConnectAnswer = {
      type: frames.CONNECT_ANSWER,
      ...{ request, status: 200, contentType: "application/json", connectionState: "" },
      ...{ bytes: body, start: 0, end: body.length },
    };
    // A second answer to one question is to none.
    this.#send(...(behaviour === "twice" ? [answer, answer] : [answer]));
  }

  async #handle(connectionId: string, frame: Event): Promise<void> {
    const isOpen = () => this.#channels.has(frame.channel) && !this.#socket.destroyed;
    if (!isOpen()) return;
    const { channel } = frame;
    const isMessage = frame.type === frames.MESSAGE_TEXT;
    handled += isMessage ? 1 : 0;
    const isSpoiled = isMessage && handled % SPOILED_EVERY === 0;
    const isNonsense = isSpoiled && behaviour === "nonsense";
    record.write({ ...describe(connectionId, frame), acknowledged: !isNonsense });
    await work();
    if (!isOpen()) return;
    if (isNonsense) this.#sayNonsense(channel);
    else if (!isMessage) this.#send({ type: frames.ACKNOWLEDGE, channel, events: 1 });
    else {
      this.#send({ type: frames.ANSWER_TEXT, channel, ...payload(`answer ${frame.number}`) });
      // Of more than can be under way the gateway knows that it is wrong.
      const more = { type: frames.ACKNOWLEDGE, channel, events: 1 + FRAME_BYTES_MAX } as const;
      if (isSpoiled && behaviour === "twice") this.#send(more);
    }
    if (frame.type === frames.DISCONNECTED) this.#channels.delete(channel);
  }

  /** In turns: rejections, which are within the rules, and what no rule allows. */
  #sayNonsense(channel: number): void {
    spoiled += 1;
    const cause = "nonsense";
    switch (spoiled % 5) {
      case 0:
        this.#send({ type: frames.REJECT, channel, kind: 1, retryAfterMs: 0, cause });
        break;
      case 1:
        this.#send({ type: frames.REJECT, channel, kind: 2, retryAfterMs: 0, cause });
        break;
      case 2:
        this.#send({ type: frames.ANSWER_TEXT, channel: 0xffffffff, ...payload("answer 0") });
        break;
      case 3:
        this.#socket.write("BANANA/7 ok\r\n\r\n");
        break;
      default:
        this.#socket.write(Buffer.from([0, 0, 0, 9, 0x44, 0, 0]));
        this.#socket.end();
    }
    this.#channels.delete(channel);
  }

  #send(...all: frames.ServiceFrame[]): void {
    const writer = new FrameWriter();
    for (const frame of all) writeFrame(writer, frame);
    this.#socket.write(writer.take());
  }
}

function payload(text: string) {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length };
}

function describe(connectionId: string, frame: Event) {
  const of = (name: EventName, id: string, number: number, text: string) =>
    describeEvent(name, connectionId, `${connectionId}/${id}`, number, text);
  if (frame.type !== frames.MESSAGE_TEXT) {
    const name = frame.type === frames.CONNECTED ? "connected" : "disconnected";
    return of(name, name, 0, "");
  }
  const { bytes, end, number, start } = frame;
  return of("message", String(number), number, Buffer.from(bytes.subarray(start, end)).toString());
}

function work(): Promise<void> {
  const msMax = behaviour === "dawdling" ? DAWDLE_MS_MAX : WORK_MS_MAX;
  return delay(Math.random() * msMax);
}
