/**
 * A gateway with a hub over NATS for a test: a real server, a service on it that writes down all
 * events of the hub and lets everybody in, and a way between gateway and server that can be cut
 * without the service noticing.
 */
import { after } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import { headers } from "@nats-io/transport-node";
import { FaultProxy } from "../faults/fault-proxy.ts";
import { GatewayProcess } from "./gateway-process.ts";
import { NatsServer } from "./nats-server.ts";
import { ObservedClient } from "./observed-client.ts";
import { Exposition } from "./prometheus.ts";

export interface NatsEvent {
  event: string;
  id: string;
  connectionId: string;
  replyTo: string;
  text: string;
}

const TIMEOUT_MS = 15_000;

const ways = new Set<FaultProxy>();
after(async () => {
  for (const way of ways) await way.stop();
});

export class NatsStage {
  readonly events: NatsEvent[] = [];
  readonly gateway: GatewayProcess;
  readonly #service: NatsConnection;
  readonly #way: FaultProxy;

  private constructor(gateway: GatewayProcess, service: NatsConnection, way: FaultProxy) {
    this.gateway = gateway;
    this.#service = service;
    this.#way = way;
    service.subscribe("headgate.event.chat.>", {
      callback: (error, message) => {
        if (error !== null) throw error;
        const attribute = (name: string) => message.headers?.get(name) ?? "";
        this.events.push({
          event: attribute("ce-eventname"),
          id: attribute("ce-id"),
          connectionId: attribute("ce-connectionid"),
          replyTo: attribute("headgate-reply-to"),
          text: message.string(),
        });
        if (attribute("ce-eventname") === "connect") message.respond('{"groups":["everybody"]}');
      },
    });
  }

  /** `limits`: YAML of the hub's. */
  static async start(delivery: string, limits: string, workers = 1): Promise<NatsStage> {
    const server = await NatsServer.start({ jetStream: delivery === "at-least-once" });
    const way = await FaultProxy.start(server.port, Math.random);
    ways.add(way);
    const service = `{ url: 'nats://127.0.0.1:${way.port}', delivery: ${delivery} }`;
    const gateway = await GatewayProcess.start(
      `chat: { paths: [/], service: ${service}, limits: { ${limits} } }`,
      `workers: ${workers}`,
    );
    const stage = new NatsStage(gateway, await server.connect(), way);
    await stage.#service.flush();
    const isConnected = ({ msg }: { msg: string }) => msg === "connected to NATS";
    await gateway.until(
      () => gateway.records.filter(isConnected).length >= workers,
      "each worker's connection",
    );
    return stage;
  }

  of(event: string): NatsEvent[] {
    return this.events.filter((each) => each.event === event);
  }

  texts(): string[] {
    return this.of("message").map(({ text }) => text);
  }

  open(): Promise<ObservedClient> {
    return ObservedClient.open(`ws://127.0.0.1:${this.gateway.port}/`);
  }

  /** The gateway has noticed that NATS is away for it. */
  async cut(): Promise<void> {
    await this.#way.cut();
    await this.gateway.record(({ msg }) => msg.startsWith("the connection to NATS was lost"));
  }

  mend(): Promise<void> {
    return this.#way.mend();
  }

  push(subject: string, text: string, fields: Record<string, string> = {}): void {
    const written = headers();
    const all = { "content-type": "text/plain", ...fields };
    for (const [name, value] of Object.entries(all)) written.set(name, value);
    this.#service.publish(subject, text, { headers: written });
  }

  /** How many messages of clients the gateway has read. */
  messagesRead(): Promise<number> {
    return this.#metric('headgate_messages_received_total{hub="chat"}');
  }

  untilRead(count: number): Promise<void> {
    return untilTrue(async () => (await this.messagesRead()) >= count, `${count} are read`);
  }

  /** What is under way is a moment longer than what the service has seen. */
  untilNothingIsUnderWay(): Promise<void> {
    const isNothing = async () => (await this.#metric("headgate_upstream_inflight")) === 0;
    return untilTrue(isNothing, "nothing is under way");
  }

  async #metric(name: string): Promise<number> {
    const page = await (await this.gateway.api("GET", "/metrics")).text();
    return new Exposition(page).value(name);
  }
}

async function untilTrue(ask: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + TIMEOUT_MS;
  while (!(await ask())) {
    if (performance.now() > endMs) throw new Error(`in vain: ${what}`);
  }
}
