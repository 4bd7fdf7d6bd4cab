/**
 * What foreign clients connect to: a real gateway with echoing hubs and a hub with a real service
 * that names users and groups, and the proxies in front of it that are there.
 */
import { GatewayProcess } from "../support/gateway-process.ts";
import { HttpService, type ServiceAnswer, type ServiceEvent } from "../support/http-service.ts";
import { type Front, fronts } from "./fronts.ts";

export const SUBPROTOCOLS = ["v1.interop", "v2.interop"];
export const REFUSAL = { status: 403, body: { error: "mallory may not come in ☹" } };

interface ConnectBody {
  query: Record<string, string[]>;
  params: { room: string };
  headers: Record<string, string[]>;
  address: string;
  subprotocols: string[];
}

/** Everybody but Mallory, into the group of the path, with the last of the subprotocols. */
function letIn({ name, text }: ServiceEvent): ServiceAnswer {
  if (name !== "connect") return undefined;
  const { query, params, subprotocols } = JSON.parse(text) as ConnectBody;
  const userId = query.user?.[0];
  if (userId === "mallory") return REFUSAL;
  return { body: { userId, groups: [params.room, "all"], subprotocol: subprotocols.at(-1) } };
}

export class Stage {
  readonly gateway: GatewayProcess;
  readonly service: HttpService;
  readonly #ports = new Map<Front, number>();
  #tickets = 0;

  private constructor(gateway: GatewayProcess, service: HttpService) {
    this.gateway = gateway;
    this.service = service;
  }

  static async set(): Promise<Stage> {
    const service = await HttpService.start(letIn);
    const gateway = await GatewayProcess.start(
      [
        "echo: { paths: [/echo], service: 'echo:', limits: { messageBytesMax: 2097152 } }",
        "deflate:",
        "  paths: [/deflate]",
        "  service: 'echo:'",
        "  compression: on",
        "  limits: { messageBytesMax: 2097152 }",
        "narrow: { paths: [/narrow], service: 'echo:', limits: { messageBytesMax: 1024 } }",
        `room: { paths: ['/room/:room'], service: '${service.url}', compression: on }`,
      ].join("\n"),
    );
    const stage = new Stage(gateway, service);
    const there = fronts.filter(({ missing }) => missing === false);
    const ports = await Promise.all(there.map((front) => front.start(gateway)));
    for (const [index, front] of there.entries()) stage.#ports.set(front, ports[index] as number);
    return stage;
  }

  url(front: Front, path: string): string {
    return `ws://127.0.0.1:${this.#ports.get(front)}${path}`;
  }

  /** A URL of a room of its own, by whose query its connect event can be found. */
  roomUrl(front: Front, query: Record<string, string> = {}): string {
    this.#tickets += 1;
    const all = new URLSearchParams({ ...query, ticket: String(this.#tickets) });
    return this.url(front, `/room/${this.#tickets}?${all}`);
  }

  /** What the service was asked when this URL of the room was connected to. */
  async asked(url: string): Promise<{ connectionId: string; body: ConnectBody }> {
    const ticket = new URL(url).searchParams.get("ticket") as string;
    const isIt = ({ name, text }: ServiceEvent) =>
      name === "connect" && (JSON.parse(text) as ConnectBody).query.ticket?.[0] === ticket;
    const { connectionId, text } = await this.service.event(isIt, `the connect event of ${url}`);
    return { connectionId, body: JSON.parse(text) as ConnectBody };
  }

  /** How the service was told that this connection ended. */
  async ending(connectionId: string): Promise<{ reason: string; code: number }> {
    const isIt = (event: ServiceEvent) =>
      event.name === "disconnected" && event.connectionId === connectionId;
    const { text } = await this.service.event(isIt, `the end of ${connectionId}`);
    return JSON.parse(text) as { reason: string; code: number };
  }

  push(group: string, body: string): Promise<Response> {
    return this.gateway.api("POST", `/api/hubs/room/groups/${group}/:send`, body);
  }
}
