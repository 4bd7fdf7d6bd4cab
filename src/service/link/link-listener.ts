/**
 * Where the gateway's workers dial: one socket that listens, and the links that came of it. A
 * push to one connection goes on the link whose worker holds it, any other on all of them.
 */
import { type AddressInfo, createServer, type Server } from "node:net";
import { HeadgateError } from "../../core/error.ts";
import type { Call, PushCarrier, PushResult } from "../push/push.ts";
import { Link, type LinkOptions } from "./link.ts";

/** A port is one of 127.0.0.1, and 0 is one that is free. */
export type LinkAddress = number | { host: string; port: number } | { path: string };

export interface ListeningAt {
  /** Undefined for a Unix socket. */
  readonly port: number | undefined;
}

export class LinkListener implements PushCarrier {
  readonly #options: LinkOptions;
  readonly #servers = new Set<Server>();
  readonly #links = new Set<Link>();
  #whenEmpty: (() => void) | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Rejects with HG_LISTEN_FAILED, or with HG_SERVICE_OPTIONS for what is no address. */
  async listen(address: LinkAddress): Promise<ListeningAt> {
    const where = readAddress(address);
    const server = createServer((socket) => {
      if (this.#links.size >= this.#options.limits.linksMax) {
        // The gateway dials again, and says in its log that it has to.
        socket.destroy();
        return;
      }
      const link: Link = new Link(socket, this.#options, () => {
        this.#links.delete(link);
        if (this.#links.size === 0) this.#whenEmpty?.();
      });
      this.#links.add(link);
    });
    this.#servers.add(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        this.#servers.delete(server);
        reject(listenFailed(where, cause));
      });
      // What is closed before it listens says neither.
      server.once("close", () => reject(closedMeanwhile()));
      server.listen(where, resolve);
    });
    server.on("error", (cause) => this.#options.handlers.report(listenFailed(where, cause)));
    return { port: (server.address() as AddressInfo | null)?.port };
  }

  /** How many workers are there. */
  get linkCount(): number {
    return [...this.#links].filter(({ nonce }) => nonce !== undefined).length;
  }

  async call(call: Call): Promise<PushResult> {
    const links = [...this.#links].filter(({ nonce }) => nonce !== undefined);
    if (links.length === 0) {
      throw new HeadgateError(
        "HG_PUSH_NO_LINK",
        "No worker of the gateway has a link to this service now; try again when one has, or " +
          "set push.url to push over REST.",
      );
    }
    if (call.target !== "connection") return addUp(links.map((link) => link.call(call)));
    const nonce = call.name.slice(0, Math.max(call.name.indexOf("."), 0));
    const link = links.find((each) => each.nonce === nonce);
    // Its worker is gone, and its connections are with it, or it has no link just now.
    if (link === undefined) return { matched: 0, dropped: 0, partial: true };
    return { ...(await link.call(call)), partial: false };
  }

  /** Says goodbye on every link, and resolves when all are gone. */
  async leave(): Promise<void> {
    for (const server of this.#servers) server.close();
    if (this.#links.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const link of this.#links) link.leave();
    await empty;
  }

  /** Breaks off whatever is left. */
  close(): void {
    for (const server of this.#servers) server.close();
    for (const link of this.#links) link.destroy();
  }
}

/** What one link did not answer makes it partial; what the gateway refused is an error. */
async function addUp(answers: Promise<{ matched: number; dropped: number }>[]) {
  const sum = { matched: 0, dropped: 0, partial: false };
  const errors: unknown[] = [];
  for (const answer of await Promise.allSettled(answers)) {
    if (answer.status === "rejected") {
      errors.push(answer.reason);
      continue;
    }
    sum.matched += answer.value.matched;
    sum.dropped += answer.value.dropped;
  }
  if (errors.length === 0) return sum;
  const serious = errors.find((error) => !isUnanswered(error));
  if (serious !== undefined) throw serious;
  if (errors.length === answers.length) throw errors[0];
  return { ...sum, partial: true };
}

function isUnanswered(error: unknown): boolean {
  return error instanceof HeadgateError && error.code === "HG_PUSH_UNANSWERED";
}

type Place = Exclude<LinkAddress, number>;

/** Node takes a string for a path, and nothing at all for any port of any address. */
function readAddress(address: LinkAddress): Place {
  const where = typeof address === "number" ? { host: "127.0.0.1", port: address } : address;
  if (typeof where === "object" && where !== null) {
    if ("path" in where && typeof where.path === "string" && where.path !== "") return where;
    const { host, port } = where as { host?: unknown; port?: unknown };
    const isPort = Number.isInteger(port) && Number(port) >= 0 && Number(port) < 65_536;
    if (typeof host === "string" && host !== "" && isPort) return where;
  }
  throw new HeadgateError(
    "HG_SERVICE_OPTIONS",
    `listenLink: ${JSON.stringify(address)} is no address; give a port from 0 to 65535, ` +
      "{ host, port }, or { path } of a Unix socket.",
  );
}

function closedMeanwhile(): HeadgateError {
  return new HeadgateError("HG_SERVICE_CLOSED", "The service was closed before it listened.");
}

function listenFailed(where: Place, cause: Error): HeadgateError {
  const isPath = "path" in where;
  const place = isPath ? where.path : `${where.host}:${where.port}`;
  const advice = isPath
    ? "Choose another path, or remove the socket's file if a process that died has left it."
    : "Choose another port or address, or stop what has this one.";
  return new HeadgateError(
    "HG_LISTEN_FAILED",
    `The service cannot listen for links at ${place}: ${cause.message}. ${advice}`,
    { cause },
  );
}
