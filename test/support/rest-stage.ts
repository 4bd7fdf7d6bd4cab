/**
 * The stage for tests of the REST API: a gateway of two workers with several hubs, a service that
 * lets everybody in as the client's query says, and clients with names of their own.
 */
import { GatewayProcess } from "./gateway-process.ts";
import { HttpService, type ServiceEvent } from "./http-service.ts";
import { ObservedClient } from "./observed-client.ts";

/** Every connection is in the group of its path and in those of the query. */
function letIn({ name, text }: ServiceEvent): { body: object } | undefined {
  if (name !== "connect") return undefined;
  const { query, params } = JSON.parse(text) as {
    query: Record<string, string[]>;
    params: { room: string };
  };
  return { body: { userId: query.user?.[0], groups: [params.room, ...(query.group ?? [])] } };
}

export interface Member {
  client: ObservedClient;
  connectionId: string;
}

export class RestStage {
  readonly gateway: GatewayProcess;
  readonly service: HttpService;
  #opened = 0;

  private constructor(gateway: GatewayProcess, service: HttpService) {
    this.gateway = gateway;
    this.service = service;
  }

  /** Clients of hub `chat` connect to /chat/<group>, and so on. */
  static async set(hubs: string[], limits = "{}", more = ""): Promise<RestStage> {
    const service = await HttpService.start(letIn);
    const lines = hubs.map(
      (hub) => `${hub}: { paths: ['/${hub}/:room'], service: '${service.url}'${more} }`,
    );
    const gateway = await GatewayProcess.start(lines.join("\n"), `workers: 2\nlimits: ${limits}`);
    return new RestStage(gateway, service);
  }

  url(hub: string, room: string, query: Record<string, string> = {}): string {
    this.#opened += 1;
    const all = new URLSearchParams({ ...query, ticket: String(this.#opened) });
    const path = `${hub}/${encodeURIComponent(room)}`;
    return `ws://127.0.0.1:${this.gateway.port}/${path}?${all}`;
  }

  async open(hub: string, room: string, query: Record<string, string> = {}): Promise<Member> {
    const url = this.url(hub, room, query);
    const client = await ObservedClient.open(url);
    return { client, connectionId: this.connectionId(url) };
  }

  /** Of the client that connected to this `url`. */
  connectionId(url: string): string {
    const ticket = new URL(url).searchParams.get("ticket") as string;
    const asked = this.service.of("connect").find(({ text }) => {
      const { query } = JSON.parse(text) as { query: { ticket: string[] } };
      return query.ticket[0] === ticket;
    });
    if (asked === undefined) throw new Error(`nobody was asked about ${url}`);
    return asked.connectionId;
  }

  /** Opens at least `count` connections, and goes on until both workers have some. */
  async openOnBoth(
    count: number,
    hub: string,
    room: string,
    query: Record<string, string> = {},
  ): Promise<Member[]> {
    const members: Member[] = [];
    const workers = new Set<string>();
    // With each one that is opened, the chance that one worker has them all is halved.
    while (members.length < count || workers.size < 2) {
      const member = await this.open(hub, room, query);
      members.push(member);
      workers.add(member.connectionId.split(".")[0] as string);
    }
    return members;
  }

  /** What each has received; a last message to each shows that nothing else is on its way. */
  async received(members: Member[]): Promise<(string | Buffer)[][]> {
    const LAST = "that is all";
    return Promise.all(
      members.map(async ({ client, connectionId }) => {
        const hub = new URL(client.socket.url).pathname.split("/")[1];
        await this.gateway.api("POST", `/api/hubs/${hub}/connections/${connectionId}/:send`, LAST);
        await client.until(() => client.messages.at(-1) === LAST, "the last message");
        return client.messages.splice(0).slice(0, -1);
      }),
    );
  }

  async leave(members: Member[]): Promise<void> {
    await Promise.all(members.map(({ client }) => client.close()));
  }
}
