/**
 * The three ways on which events come from the gateway and pushes go back to it. The handlers
 * are the same on each; nothing but this file and start.ts knows which one it is.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createService, type Service, type ServiceOptions } from "../../src/service/service.ts";

export const carrierNames = ["http", "link", "nats"] as const;
export type CarrierName = (typeof carrierNames)[number];

export interface CarrierOptions {
  carrier: CarrierName;
  /** The gateway's admin listener: pushes go there where events come over HTTP. */
  adminUrl: string;
  adminKey: string | undefined;
  /** Where the gateway's workers dial, with `link`; port 0 takes a free one. */
  linkPort: number;
  /** With `nats`. */
  natsUrl: string;
}

export class Carrier {
  readonly service: Service;
  readonly #options: CarrierOptions;
  #nats: NatsConnection | undefined;

  constructor(options: CarrierOptions, common: Omit<ServiceOptions, "push">) {
    this.#options = options;
    const { adminUrl: url, adminKey: key, carrier } = options;
    const push = key === undefined ? { url } : { url, key };
    // Without an address a service pushes the way its events come.
    this.service = createService(carrier === "http" ? { ...common, push } : common);
  }

  /** Whether events are POSTed to the server of the page. */
  get isHttp(): boolean {
    return this.#options.carrier === "http";
  }

  /** Behind the handlers; over HTTP there is nothing to do. */
  async open(): Promise<void> {
    const { carrier, linkPort, natsUrl } = this.#options;
    if (carrier === "link") await this.service.listenLink(linkPort);
    if (carrier !== "nats") return;
    this.#nats = await connect({ servers: natsUrl, maxReconnectAttempts: -1 });
    await this.service.overNats(this.#nats);
  }

  /** Lets the handlers end that are under way. */
  async close(): Promise<void> {
    await this.service.close();
    await this.#nats?.close();
  }
}
