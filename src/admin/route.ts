/**
 * One row of the route table: what serves a call is also what describes it, so that the server
 * and `/openapi.json` cannot drift apart.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Bus } from "../bus/bus.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Fault, Outcome } from "./outcome.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";

/** What a route acts on. */
export interface AdminServices {
  configuration: Configuration;
  bus: Bus;
  /** Whether clients may be sent here. */
  ready(): boolean;
  status(): Promise<object>;
  /** In the format of EXPOSITION_TYPE. */
  metrics(): string;
}

/** One request that is authorized and names things that exist or may exist. */
export interface Call {
  /** As the request has it, percent-encoded, without the query. */
  path: string;
  /** The authority that the request was sent to. */
  host: string;
  /** Decoded. */
  params: Readonly<Record<string, string | undefined>>;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** Reads the body; to be called once, when all else has been checked. */
  readBody(bytesMax: number, setting: string): Promise<Uint8Array | Fault>;
}

export interface Parameter {
  name: string;
  in: "query" | "header";
  description: string;
  schema: object;
}

export interface Described {
  description: string;
  headers?: string[];
  /** Of the body, if there is one. */
  schema?: object;
  /** The body's; JSON where it is not said. */
  mediaType?: string;
}

export interface Route {
  method: Method;
  /** As OpenAPI writes it: names in braces, colons are themselves. */
  path: string;
  operationId: string;
  tag: "push" | "close" | "groups" | "questions" | "amazon" | "process" | "later";
  summary: string;
  /** Answered without a key. */
  open?: true;
  parameters?: Parameter[];
  /** Media types of the body. */
  body?: string[];
  /** By status; faults are added where the route can have them. */
  replies: Record<number, Described>;
  /** Statuses of faults besides those that every route has. */
  faults: number[];
  handle(call: Call, services: AdminServices): Outcome | Promise<Outcome>;
}

/** A parameter of the path, which the router found because the route has it. */
export function pathParameter(call: Call, name: string): string {
  const value = call.params[name];
  if (value === undefined) throw new Error(`the route of ${call.path} has no {${name}}`);
  return value;
}

/** Names of the parameters in a route's path. */
export function pathParameterNames(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);
}
