/**
 * The admin listener: takes HTTP requests through authorization, routing and the checks that all
 * calls share, and writes their outcome. What a call does is in its route.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { ListenAddress } from "../config/configuration.ts";
import { HeadgateError } from "../core/error.ts";
import type { Log } from "../core/log.ts";
import { isAmazonPath } from "./amazon-routes.ts";
import { Authorization } from "./authorization.ts";
import { checkName } from "./call-values.ts";
import { Fault, type Outcome, type Reply, renderFault } from "./outcome.ts";
import { type BodyBudget, RequestBody } from "./request-body.ts";
import type { AdminServices, Call, Route } from "./route.ts";
import { type Found, Router } from "./router.ts";
import { routes } from "./routes.ts";

const CONNECTIONS_MAX = 1024;
/** Bodies of the largest kind that may be held at a time. */
const BODIES_MAX = 64;
/** So many connections can be excluded by the query as `adminBatchMax` allows by default. */
const HEAD_BYTES_MAX = 65_536;

const timeouts = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 20_000,
  /** Sweeps for requests that are late. */
  connectionsCheckingInterval: 2_000,
};

export interface AdminServerOptions extends AdminServices {
  log: Log;
}

/** A request's target, as far as it is needed before there is a route. */
interface RequestTarget {
  path: string;
  query: string;
  host: string;
}

export class AdminServer {
  readonly #services: AdminServices;
  readonly #log: Log;
  readonly #authorization: Authorization;
  readonly #router = new Router(routes);
  readonly #server: Server;
  readonly #bodies: BodyBudget;
  /** Sockets on which an answer has begun and not ended. */
  readonly #answering = new WeakSet<Duplex>();
  #closing = false;

  constructor(options: AdminServerOptions) {
    const { log, ...services } = options;
    this.#services = services;
    this.#log = log;
    const { admin, limits } = services.configuration;
    this.#authorization = new Authorization(admin.keys);
    this.#bodies = { heldBytes: 0, heldBytesMax: BODIES_MAX * limits.pushBytesMax };
    this.#server = createServer({ ...timeouts, maxHeaderSize: HEAD_BYTES_MAX });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("request", (request, response) => this.#serve(request, response, false));
    this.#server.on("checkContinue", (request, response) => this.#serve(request, response, true));
    this.#server.on("clientError", (error, socket) => {
      answerBrokenRequest(error, socket, this.#answering.has(socket));
    });
    this.#server.on("drop", () => {
      log.warn({ connectionsMax: CONNECTIONS_MAX }, "The admin listener is full.");
    });
  }

  listen(): Promise<ListenAddress> {
    const { host, port } = this.#services.configuration.admin;
    return new Promise((resolve, reject) => {
      const fail = (cause: NodeJS.ErrnoException) => reject(listenError(host, port, cause));
      this.#server.once("error", fail);
      this.#server.listen(port, host, () => {
        this.#server.off("error", fail);
        this.#server.on("error", (error) => {
          this.#log.error({ err: error }, "The admin listener could not accept a connection.");
        });
        const bound = this.#server.address() as AddressInfo;
        resolve({ host: bound.address, port: bound.port });
      });
    });
  }

  /** Answers what is being asked, for `closeTimeoutMs` at the most, and ends idle connections. */
  close(): Promise<void> {
    this.#closing = true;
    if (!this.#server.listening) return Promise.resolve();
    const { closeTimeoutMs } = this.#services.configuration.limits;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#server.closeAllConnections(), closeTimeoutMs);
      this.#server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): Promise<void> {
    const body = new RequestBody(request, response, this.#bodies, expectsContinue);
    const target = parseTarget(request);
    const outcome = await this.#decide(request, target, body);
    const reply =
      outcome instanceof Fault ? renderFault(outcome, isAmazonPath(target.path)) : outcome;
    this.#write(request, response, body, reply);
    body.release();
  }

  async #decide(
    request: IncomingMessage,
    target: RequestTarget,
    body: RequestBody,
  ): Promise<Outcome> {
    const found = this.#router.find(request.method ?? "", target.path);
    if (found instanceof Fault || !found.route.open) {
      // Who may not call does not learn which paths there are.
      const refused = this.#authorization.check(request.headers, target.host);
      if (refused !== undefined) return refused;
    }
    if (found instanceof Fault) return found;
    const invalid = this.#checkParams(found);
    if (invalid !== undefined) return invalid;
    const call: Call = {
      path: target.path,
      host: target.host,
      params: found.params,
      query: new URLSearchParams(target.query),
      headers: request.headers,
      readBody: (bytesMax, setting) => body.read(bytesMax, setting),
    };
    return this.#handle(found.route, call);
  }

  #checkParams({ route, params }: Found): Fault | undefined {
    if (route.tag === "later") return undefined;
    const { hubs, limits } = this.#services.configuration;
    for (const [name, value = ""] of Object.entries(params)) {
      if (name === "hub" && !Object.hasOwn(hubs, value)) {
        return new Fault(
          404,
          "HubNotFound",
          "There is no such hub; the configuration lists the hubs there are.",
          "hub",
        );
      }
      // What is no user or group only finds nothing, however long it is.
      const isName = name === "user" || name === "group";
      const bytesMax = isName ? limits.nameBytesMax : HEAD_BYTES_MAX;
      const invalid = checkName(value, name, bytesMax);
      if (invalid !== undefined) return invalid;
    }
    return undefined;
  }

  /** A failed call must not end the supervisor, whose workers hold everybody's connections. */
  async #handle(route: Route, call: Call): Promise<Outcome> {
    const { operationId } = route;
    try {
      const outcome = await route.handle(call, this.#services);
      this.#log.debug({ operationId, status: outcome.status }, "An admin call was answered.");
      return outcome;
    } catch (error) {
      if (error instanceof HeadgateError) {
        this.#log.warn({ operationId, err: error }, "An admin call could not be carried out.");
        return new Fault(503, error.code, error.message, undefined, { "retry-after": "1" });
      }
      this.#log.error({ operationId, err: error }, "An admin call failed.");
      return new Fault(500, "InternalError", "The gateway failed; its log says why.");
    }
  }

  #write(
    request: IncomingMessage,
    response: ServerResponse,
    body: RequestBody,
    { status, headers, body: content }: Reply,
  ): void {
    const isText = typeof content === "string";
    const text = isText || content === undefined ? content : JSON.stringify(content);
    const payload = text === undefined ? undefined : Buffer.from(text);
    const unwanted = body.isUnwanted;
    response.writeHead(status, {
      ...headers,
      ...(payload && !isText ? { "content-type": "application/json; charset=utf-8" } : {}),
      ...(status === 204 ? {} : { "content-length": payload?.byteLength ?? 0 }),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(unwanted || this.#closing ? { connection: "close" } : {}),
    });
    this.#answering.add(request.socket);
    response.once("close", () => this.#answering.delete(request.socket));
    const visible = request.method === "HEAD" ? undefined : payload;
    if (!unwanted) {
      response.end(visible);
      return;
    }
    if (visible === undefined) response.flushHeaders();
    else response.write(visible);
    body.linger(this.#services.configuration.limits.closeTimeoutMs);
  }
}

/** A proxy's request line names the host itself, before and above the Host header. */
function parseTarget(request: IncomingMessage): RequestTarget {
  const url = request.url ?? "/";
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  const host = absolute?.[1] ?? request.headers.host ?? "";
  const [path = "", ...query] = (absolute?.[2] ?? url).split("?");
  return { path: path === "" ? "/" : path, query: query.join("?"), host };
}

function answerBrokenRequest(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  answering: boolean,
): void {
  if (error.code === "ECONNRESET" || !socket.writable || answering) {
    socket.destroy();
    return;
  }
  const [status, code, message] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? ["431 Request Header Fields Too Large", "HeadTooLarge", "The request's head is too large."]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ["408 Request Timeout", "RequestTimeout", "The request did not arrive in time."]
        : ["400 Bad Request", "BadRequest", "This is not a valid HTTP request."];
  const payload = JSON.stringify({ code, message });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(payload)}\r\nConnection: close\r\n\r\n${payload}`,
  );
}

function listenError(host: string, port: number, cause: NodeJS.ErrnoException): HeadgateError {
  return cause.code === "EADDRINUSE"
    ? new HeadgateError(
        "HG_ADMIN_ADDRESS_IN_USE",
        `The admin address ${host}:${port} is in use; stop what uses it, or set admin.address.`,
        { cause },
      )
    : new HeadgateError(
        "HG_ADMIN_LISTEN_FAILED",
        `The admin API cannot listen on ${host}:${port} (${cause.code}); set admin.address.`,
        { cause },
      );
}
