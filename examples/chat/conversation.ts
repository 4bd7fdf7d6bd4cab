/**
 * What the chat does with each event of the gateway: who may enter, what is said back to one
 * client as the answer, and what is pushed to a room. It knows no carrier; carriers.ts does.
 */
import {
  type ConnectAnswer,
  type ConnectedEvent,
  type ConnectRequest,
  type DisconnectedEvent,
  HeadgateError,
  type Message,
  type Push,
  type Refusal,
  Refuse,
  type Service,
  TryLater,
} from "../../src/service/service.ts";
import type { Chat, Room } from "./chat.ts";
import { type GatewayClient, GatewayError } from "./gateway-client.ts";
import { nameProblem, roomProblem, textProblem, tidyName } from "./rules.ts";

export interface ConversationOptions {
  chat: Chat;
  gateway: GatewayClient;
  push: Push;
  /** How long somebody whose connection broke is still taken to be here. */
  returnGraceMs: number;
  log: (sentence: string) => void;
}

const MESSAGE_ID = /^[A-Za-z0-9-]{1,64}$/;

export class Conversation {
  #chat: Chat;
  #gateway: GatewayClient;
  #push: Push;
  #returnGraceMs: number;
  #log: (sentence: string) => void;
  #farewells = new Set<NodeJS.Timeout>();
  #surveys = new Map<string, Promise<void>>();

  constructor(options: ConversationOptions) {
    this.#chat = options.chat;
    this.#gateway = options.gateway;
    this.#push = options.push;
    this.#returnGraceMs = options.returnGraceMs;
    this.#log = options.log;
  }

  close(): void {
    for (const timer of this.#farewells) clearTimeout(timer);
    this.#farewells.clear();
  }

  listenTo(service: Service): void {
    service.on("connect", (request) => this.#admit(request));
    service.on("connected", (event) => this.#take(event, () => this.#welcome(event)));
    service.on("message", (message) => this.#take(message, () => this.#hear(message)));
    service.on("disconnected", (event) => this.#take(event, () => this.#takeLeave(event)));
  }

  /** What the gateway could not be told now is tried again with the same event. */
  async #take(event: { connectionState: string }, act: () => Promise<void>): Promise<void> {
    if (roomProblem(event.connectionState) !== undefined) {
      throw new Refuse("This connection did not come in by connect.");
    }
    try {
      await act();
    } catch (error) {
      if (!isOfTheGateway(error)) throw error;
      this.#log(error.message);
      throw new TryLater(0, error.message);
    }
  }

  #admit(request: ConnectRequest): ConnectAnswer | Refusal {
    const room = request.params.room ?? "";
    const name = tidyName(request.query.name?.[0] ?? "");
    const problem = roomProblem(room) ?? nameProblem(name);
    if (problem !== undefined) return request.refuse(400, `${problem}\n`);
    return { userId: name, groups: [room], connectionState: room };
  }

  async #welcome(event: ConnectedEvent): Promise<void> {
    const { connectionId, connectionState: roomName, userId: name } = event;
    const room = this.#chat.room(roomName);
    const isNew = room.enter(connectionId, name);
    if (!room.isSurveyed) await this.#survey(roomName, room);
    const welcome = { type: "welcome", room: roomName, name, log: room.log };
    const value = { ...welcome, messages: room.messages, ...room.presence() };
    await this.#push.toConnection(connectionId, JSON.stringify(value));
    const news = isNew ? { joined: name } : {};
    await this.#announce(roomName, room, news, connectionId);
    // A gateway that crashed could tell nobody who went with it; those that come back make us ask.
    this.#unawaited(this.#survey(roomName, room));
  }

  async #takeLeave(event: DisconnectedEvent): Promise<void> {
    const roomName = event.connectionState;
    const room = this.#chat.room(roomName);
    // 1000 is somebody who said goodbye. All else may be a reload, a tunnel or a restart.
    const mayReturn = event.code !== 1000;
    const left = room.leave(event.connectionId, mayReturn);
    if (left === undefined) return;
    if (left.outcome === "away") {
      const { name, ticket } = left;
      const timer = setTimeout(() => {
        this.#farewells.delete(timer);
        if (!room.giveUp(name, ticket)) return;
        this.#unawaited(this.#announce(roomName, room, { left: name }));
      }, this.#returnGraceMs);
      this.#farewells.add(timer);
    }
    const news = left.outcome === "gone" ? { left: left.name } : {};
    await this.#announce(roomName, room, news);
  }

  async #hear(message: Message): Promise<void> {
    const { connectionId, connectionState: roomName, userId: name } = message;
    const room = this.#chat.room(roomName);
    if (!room.isSurveyed) await this.#survey(roomName, room);
    const excluded = [connectionId];
    const spoken = parseObject(message.text());
    if (spoken?.type === "typing") {
      const value = JSON.stringify({ type: "typing", name });
      await this.#push.toGroup(roomName, value, { excluded });
      return;
    }
    const { type, id, text } = spoken ?? {};
    if (type !== "say" || typeof id !== "string" || !MESSAGE_ID.test(id)) {
      throw new Refuse("This service understands say and typing, as JSON.");
    }
    const problem = typeof text === "string" ? textProblem(text) : "There is no text in that.";
    if (problem !== undefined) {
      message.reply(JSON.stringify({ type: "refused", id, reason: problem }));
      return;
    }
    const said = room.say({ id, name, text: String(text).trim(), atMs: Date.now() });
    const value = { log: room.log, message: said };
    await this.#push.toGroup(roomName, JSON.stringify({ type: "message", ...value }), {
      excluded,
      pushId: `${room.log}-${said.number}`,
    });
    message.reply(JSON.stringify({ type: "accepted", ...value }));
  }

  async #announce(
    roomName: string,
    room: Room,
    news: { joined?: string; left?: string },
    excluded?: string,
  ): Promise<void> {
    const value = { type: "people", log: room.log, ...room.presence(), ...news };
    const options = excluded === undefined ? {} : { excluded: [excluded] };
    await this.#push.toGroup(roomName, JSON.stringify(value), options);
  }

  /** One question for each room at a time: whoever comes meanwhile waits for the same answer. */
  #survey(roomName: string, room: Room): Promise<void> {
    const underWay = this.#surveys.get(roomName);
    if (underWay !== undefined) return underWay;
    const survey = this.#compare(roomName, room).finally(() => this.#surveys.delete(roomName));
    this.#surveys.set(roomName, survey);
    return survey;
  }

  async #compare(roomName: string, room: Room): Promise<void> {
    const census = room.beginCensus();
    try {
      const { gone, changed } = room.settle(census, await this.#gateway.members(roomName));
      for (const left of gone) await this.#announce(roomName, room, { left });
      if (changed && gone.length === 0) await this.#announce(roomName, room, {});
    } finally {
      room.abandon(census);
    }
  }

  /** For pushes that no event waits for: the next list of people makes up for one that failed. */
  #unawaited(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!isOfTheGateway(error)) throw error;
      this.#log(error.message);
    });
  }
}

/** It is not there, or did not do what it was asked: no bug of ours. */
function isOfTheGateway(error: unknown): error is Error {
  return error instanceof GatewayError || error instanceof HeadgateError;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
