/**
 * The validated configuration as every process sees it: plain data, with defaults filled in,
 * sent to workers as JSON so that they load neither the YAML parser nor the schema. The limits'
 * types come from the schema, as types alone.
 */
import type { gatewayLimitShape, hubLimitShape } from "./limits.ts";
import type { ParsedHub } from "./schema.ts";

export interface ListenAddress {
  host: string;
  port: number;
}

export type ServiceConfiguration =
  | { kind: "echo" }
  | { kind: "http"; url: string }
  | LinkServiceConfiguration
  | NatsServiceConfiguration;

export interface LinkServiceConfiguration {
  kind: "link";
  /** URLs of its instances: `link://host:port` or `link+unix:///path`. */
  addresses: string[];
}

export interface NatsServiceConfiguration {
  kind: "nats";
  /** URLs of one cluster. */
  servers: string[];
  /** A path, as those of `tls` are. */
  credentials?: string | undefined;
  token?: string | undefined;
  user?: string | undefined;
  password?: string | undefined;
  tls?:
    | { ca?: string | undefined; cert?: string | undefined; key?: string | undefined }
    | undefined;
  delivery: "at-most-once" | "at-least-once";
  /** Where `at-least-once` stores. */
  stream: string;
  /** What every subject begins with. */
  prefix: string;
}

export interface HubConfiguration {
  paths: string[];
  service: ServiceConfiguration;
  auth: { connect: boolean };
  /** Undefined: the same host name as the request's own. */
  origins: string[] | undefined;
  signingKeys: string[];
  consent: boolean;
  /** Whether permessage-deflate is negotiated with clients that offer it. */
  compression: boolean;
  /** Whether events go to the service in batches. */
  batch: boolean;
  slowConsumer: ParsedHub["slowConsumer"];
  /** The gateway's, with what the hub sets for itself. */
  limits: HubLimits;
}

/** What each means, its range and default: limits.ts. */
export type HubLimits = { [Key in keyof typeof hubLimitShape]: number };

export type GatewayLimits = HubLimits & { [Key in keyof typeof gatewayLimitShape]: number } & {
  /** For one worker. Default: a quarter of the memory it may use. */
  bufferBudgetBytes: number;
};

export interface Configuration {
  /** What services see as our origin. */
  name: string;
  listen: ListenAddress[];
  hubs: Record<string, HubConfiguration>;
  admin: ListenAddress & { keys: string[] };
  /** `auto` has become the number of cores. */
  workers: number;
  limits: GatewayLimits;
}
