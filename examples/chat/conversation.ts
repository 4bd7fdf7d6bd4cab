/**
 * What the chat does with each event of the gateway: who may enter, what is said back to one
 * client as the answer, and what is pushed to a room. It knows no HTTP; service.ts does.
 */
import type { Chat, Room } from "./chat.ts";
import type { GatewayEvent } from "./events.ts";
import { type GatewayClient, GatewayError } from "./gateway-client.ts";
import { nameProblem, roomProblem, textProblem, tidyName } from "./rules.ts";

export interface Answer {
  status: number;
  /** An object goes out as JSON, a string as text; undefined is an empty body. */
  body: object | string | undefined;
  /** Comes back with every later event of the connection. */
  connectionState: string | undefined;
}

export interface ConversationOptions {
  chat: Chat;
  gateway: GatewayClient;
  /** How long somebody whose connection broke is still taken to be here. */
  returnGraceMs: number;
  log: (sentence: string) => void;
}

const NOTHING: Answer = { status: 204, body: undefined, connectionState: undefined };
const MESSAGE_ID = /^[A-Za-z0-9-]{1,64}$/;

export class Conversation {
  #chat: Chat;
  #gateway: GatewayClient;
  #returnGraceMs: number;
  #log: (sentence: string) => void;
  #farewells = new Set<NodeJS.Timeout>();
  #surveys = new Map<string, Promise<void>>();

  constructor(options: ConversationOptions) {
    this.#chat = options.chat;
    this.#gateway = options.gateway;
    this.#returnGraceMs = options.returnGraceMs;
    this.#log = options.log;
  }

  close(): void {
    for (const timer of this.#farewells) clearTimeout(timer);
    this.#farewells.clear();
  }

  /** 503 asks the gateway to bring the same event again. */
  async take(event: GatewayEvent): Promise<Answer> {
    if (event.kind === "connect") return this.#admit(event);
    const problem = roomProblem(event.connectionState);
    if (problem !== undefined) return refuse("This connection did not come in by connect.");
    try {
      if (event.kind === "connected") return await this.#welcome(event);
      if (event.kind === "disconnected") return await this.#takeLeave(event);
      return await this.#hear(event);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#log(error.message);
      return { status: 503, body: error.message, connectionState: undefined };
    }
  }

  #admit(event: GatewayEvent): Answer {
    const request = parseObject(event.body);
    const params = request?.params as { room?: unknown } | undefined;
    const query = request?.query as { name?: unknown[] } | undefined;
    const room = String(params?.room ?? "");
    const name = tidyName(String(query?.name?.[0] ?? ""));
    const problem = roomProblem(room) ?? nameProblem(name);
    if (problem !== undefined) return refuse(problem);
    return { status: 200, body: { userId: name, groups: [room] }, connectionState: room };
  }

  async #welcome(event: GatewayEvent): Promise<Answer> {
    const { connectionId, connectionState: roomName, userId: name } = event;
    const room = this.#chat.room(roomName);
    const isNew = room.enter(connectionId, name);
    if (!room.isSurveyed) await this.#survey(roomName, room);
    await this.#gateway.sendToConnection(connectionId, {
      type: "welcome",
      room: roomName,
      name,
      log: room.log,
      messages: room.messages,
      ...room.presence(),
    });
    const news = isNew ? { joined: name } : {};
    await this.#announce(roomName, room, news, connectionId);
    // A gateway that crashed could tell nobody who went with it; those that come back make us ask.
    this.#unawaited(this.#survey(roomName, room));
    return NOTHING;
  }

  async #takeLeave(event: GatewayEvent): Promise<Answer> {
    const roomName = event.connectionState;
    const room = this.#chat.room(roomName);
    // 1000 is somebody who said goodbye. All else may be a reload, a tunnel or a restart.
    const mayReturn = parseObject(event.body)?.code !== 1000;
    const left = room.leave(event.connectionId, mayReturn);
    if (left === undefined) return NOTHING;
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
    return NOTHING;
  }

  async #hear(event: GatewayEvent): Promise<Answer> {
    const { connectionId, connectionState: roomName, userId: name } = event;
    const room = this.#chat.room(roomName);
    if (!room.isSurveyed) await this.#survey(roomName, room);
    const spoken = parseObject(event.body);
    if (spoken?.type === "typing") {
      await this.#gateway.sendToGroup(
        roomName,
        { type: "typing", name },
        { excluded: connectionId },
      );
      return NOTHING;
    }
    const { type, id, text } = spoken ?? {};
    if (type !== "say" || typeof id !== "string" || !MESSAGE_ID.test(id)) {
      return refuse("This service understands say and typing, as JSON.");
    }
    const problem = typeof text === "string" ? textProblem(text) : "There is no text in that.";
    if (problem !== undefined) return reply({ type: "refused", id, reason: problem });
    const message = room.say({ id, name, text: String(text).trim(), atMs: Date.now() });
    await this.#gateway.sendToGroup(
      roomName,
      { type: "message", log: room.log, message },
      { excluded: connectionId, pushId: `${room.log}-${message.number}` },
    );
    return reply({ type: "accepted", log: room.log, message });
  }

  async #announce(
    roomName: string,
    room: Room,
    news: { joined?: string; left?: string },
    excluded?: string,
  ): Promise<void> {
    const value = { type: "people", log: room.log, ...room.presence(), ...news };
    await this.#gateway.sendToGroup(roomName, value, excluded === undefined ? {} : { excluded });
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
      if (!(error instanceof GatewayError)) throw error;
      this.#log(error.message);
    });
  }
}

function reply(body: object): Answer {
  return { status: 200, body, connectionState: undefined };
}

function refuse(sentence: string): Answer {
  return { status: 400, body: `${sentence}\n`, connectionState: undefined };
}

function parseObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
