/**
 * A service made with the SDK, for every carrier that the SDK takes events over: how it listens is
 * the carrier's to say. Each time that it comes back it is a new instance at the old place.
 */

import { BINARY, TEXT } from "../../core/opcode.ts";
import type { ConnectRequest } from "../../service/connect-request.ts";
import type { ConnectedEvent, DisconnectedEvent } from "../../service/lifecycle.ts";
import type { Message } from "../../service/message.ts";
import type { Push } from "../../service/push/push.ts";
import type { Service } from "../../service/service.ts";
import { createService, Refuse, TryLater } from "../../service/service.ts";
import type { UpstreamCommand } from "../upstream.ts";
import type { Answer, ReceivedEvent, ServiceSide } from "./carrier.test.helper.ts";

export interface Listening {
  port: number;
  /** As if its process were killed. */
  stop(): Promise<void>;
}

/** 0 is any port. */
export type Listen = (service: Service, port: number) => Promise<Listening>;

const BYTES_MAX = 4 * 1024 * 1024;

export class SdkService implements ServiceSide {
  readonly events: ReceivedEvent[] = [];
  readonly push: ServiceSide["push"];
  answer: ServiceSide["answer"] = () => "taken";
  answerConnect: ServiceSide["answerConnect"] = () => ({});
  readonly #listen: Listen;
  #service: Service | undefined;
  #listening: Listening | undefined;
  #port = 0;
  /** Set while it is frozen. */
  #thawing: Promise<void> | undefined;
  thaw: () => void = () => {};

  /** `push` is given where the carrier takes pushes. */
  constructor(listen: Listen, push?: (to: Push, command: UpstreamCommand) => Promise<void>) {
    this.#listen = listen;
    this.push =
      push &&
      (async (command) => {
        if (this.#service !== undefined) await push(this.#service.push, command);
      });
  }

  get port(): number {
    return this.#port;
  }

  async comeBack(): Promise<void> {
    this.#service = this.#create();
    this.#listening = await this.#listen(this.#service, this.#port);
    this.#port = this.#listening.port;
  }

  async goAway(): Promise<void> {
    await this.#listening?.stop();
    this.#listening = undefined;
    this.thaw();
  }

  async freeze(): Promise<void> {
    this.#thawing = new Promise<void>((resolve) => {
      this.thaw = () => {
        this.#thawing = undefined;
        resolve();
      };
    });
  }

  async refresh(): Promise<void> {}

  stop(): Promise<void> {
    return this.goAway();
  }

  #create(): Service {
    const service = createService({
      hub: "chat",
      bodyBytesMax: BYTES_MAX,
      closeTimeoutMs: 1,
      // Of answers that are meant to be failures.
      onError: () => {},
    });
    service.on("connect", async (request) => {
      const event = this.#record(connectEvent(request));
      await this.#thawing;
      const reply = await this.answerConnect(event);
      if (reply === "failed") throw new Error("as the test says");
      if ("status" in reply) return request.refuse(reply.status, reply.body, reply.contentType);
      return reply;
    });
    service.on("connected", (event) => this.#take(lifecycleEvent(event)));
    service.on("disconnected", (event) => this.#take(lifecycleEvent(event)));
    service.on("message", async (message) => {
      const answer = await this.#take(messageEvent(message));
      if (typeof answer === "string") return;
      const { reply, state } = answer;
      const kind = reply?.opcode === TEXT ? "text" : "binary";
      if (reply !== undefined) message.reply(reply.bytes, kind);
      if (state !== undefined) message.setConnectionState(state);
    });
    return service;
  }

  /** What is frozen is taken when it is thawed. */
  async #take(event: ReceivedEvent): Promise<Exclude<Answer, "held" | "failed" | "refused">> {
    await this.#thawing;
    const answer = await this.answer(this.#record(event));
    if (answer === "held") throw new TryLater();
    if (answer === "refused") throw new Refuse();
    if (answer === "failed") throw new Error("as the test says");
    return answer;
  }

  #record(event: ReceivedEvent): ReceivedEvent {
    this.events.push(event);
    return event;
  }
}

const nothing = {
  ...{ id: "", number: 0, bytes: Buffer.alloc(0), opcode: undefined, user: undefined },
  ...{ subprotocol: undefined, state: undefined, end: undefined, handshake: undefined },
};

/** The SDK's "" is none. */
function named(event: { userId: string; subprotocol: string; connectionState: string }) {
  const { userId, subprotocol, connectionState } = event;
  return {
    user: userId || undefined,
    subprotocol: subprotocol || undefined,
    state: connectionState || undefined,
  };
}

function connectEvent(request: ConnectRequest): ReceivedEvent {
  const { connectionId, path, params, query, headers, subprotocols, address } = request;
  const handshake = { path, params, query, headers, subprotocols, address };
  return { ...nothing, kind: "connect", connectionId, handshake };
}

function lifecycleEvent(event: ConnectedEvent | DisconnectedEvent): ReceivedEvent {
  const { connectionId, id, name: kind } = event;
  const end = kind === "connected" ? undefined : { reason: event.reason, code: event.code };
  return { ...nothing, ...named(event), kind, connectionId, id, end };
}

function messageEvent(message: Message): ReceivedEvent {
  const { connectionId, id, isText, number } = message;
  const opcode = isText ? TEXT : BINARY;
  const content = { number, opcode, bytes: Buffer.from(message.bytes) } as const;
  return { ...nothing, ...named(message), ...content, kind: "message", connectionId, id };
}
