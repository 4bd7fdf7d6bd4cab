/**
 * The chat service: an HTTP server with the page and its settings for browsers, and where events
 * come over HTTP, POST /events for the gateway. What happens in the chat is conversation.ts.
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Service } from "../../src/service/service.ts";
import { Carrier, type CarrierName } from "./carriers.ts";
import { Chat } from "./chat.ts";
import { Conversation } from "./conversation.ts";
import { GatewayClient } from "./gateway-client.ts";
import { nameProblem, roomProblem, tidyName } from "./rules.ts";

export interface ChatServiceOptions {
  hub: string;
  /** The gateway's admin listener, for pushes. */
  adminUrl: string;
  adminKey: string | undefined;
  /** The gateway's port for clients, which the page connects to. */
  gatewayPort: number;
  /** Events must be signed with one of these; none: they are taken unsigned. */
  signingKeys: readonly string[];
  returnGraceMs?: number;
  /** How events come and pushes go. Default: http. */
  carrier?: CarrierName;
  /** Default: one that is free. */
  linkPort?: number;
  natsUrl?: string;
  log: (sentence: string) => void;
}

const EVENT_BYTES_MAX = 262_144;
const RETURN_GRACE_MS = 8000;

/** From dist/examples/chat back to the sources: the page is served as it was written. */
const pageFolder = new URL("../../../examples/chat/page/", import.meta.url);
const SCRIPT = "text/javascript; charset=utf-8";
const pageFiles = new Map([
  ["/", { file: new URL("index.html", pageFolder), type: "text/html; charset=utf-8" }],
  ["/chat.css", { file: new URL("chat.css", pageFolder), type: "text/css; charset=utf-8" }],
  ["/chat.js", { file: new URL("chat.js", pageFolder), type: SCRIPT }],
  ["/connection.js", { file: new URL("connection.js", pageFolder), type: SCRIPT }],
  ["/conversation-view.js", { file: new URL("conversation-view.js", pageFolder), type: SCRIPT }],
  // The rules are one file for both: the page gets what this service has loaded itself.
  ["/rules.js", { file: new URL("rules.js", import.meta.url), type: SCRIPT }],
  ["/icon.svg", { file: new URL("icon.svg", pageFolder), type: "image/svg+xml" }],
]);

/** Nothing but our own files runs on the page; it may open WebSockets, to any port. */
const pageHeaders = {
  "content-security-policy":
    "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

export class ChatService {
  #options: ChatServiceOptions;
  #carrier: Carrier;
  #conversation: Conversation;
  #serveEvent: ReturnType<Service["httpHandler"]>;
  #server: Server;

  constructor(options: ChatServiceOptions) {
    const { adminUrl, adminKey, hub, log, returnGraceMs = RETURN_GRACE_MS } = options;
    this.#options = options;
    const { carrier = "http", linkPort = 0, natsUrl = "nats://127.0.0.1:4222" } = options;
    this.#carrier = new Carrier(
      { carrier, adminUrl, adminKey, linkPort, natsUrl },
      {
        hub,
        keys: options.signingKeys,
        bodyBytesMax: EVENT_BYTES_MAX,
        onError: ({ cause, message }) => log(cause instanceof Error ? `${cause.stack}` : message),
      },
    );
    this.#conversation = new Conversation({
      chat: new Chat(() => randomBytes(6).toString("base64url")),
      gateway: new GatewayClient({ adminUrl, hub, key: adminKey }),
      push: this.#carrier.service.push,
      returnGraceMs,
      log,
    });
    this.#conversation.listenTo(this.#carrier.service);
    this.#serveEvent = this.#carrier.service.httpHandler();
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        log(`${request.method} ${request.url}: ${(error as Error).stack}`);
        if (response.headersSent) response.destroy();
        else send(response, 500, "The chat service has a bug here; its log says more.\n");
      });
    });
  }

  /** Resolves with the port of the page; port 0 takes a free one. */
  async listen(port: number, host = "127.0.0.1"): Promise<number> {
    await this.#carrier.open();
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  async close(): Promise<void> {
    this.#conversation.close();
    await this.#carrier.close();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://chat");
    if (pathname === "/events" && this.#carrier.isHttp) {
      return this.#serveEvent(request, response);
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return send(response, 405, "Only GET is answered here.\n", { allow: "GET, HEAD" });
    }
    const page = pageFiles.get(pathname);
    if (page !== undefined) {
      const content = await readFile(page.file);
      return send(response, 200, content, { ...pageHeaders, "content-type": page.type });
    }
    if (pathname === "/settings.json") {
      return send(response, 200, { gatewayPort: this.#options.gatewayPort });
    }
    const asked = /^\/rooms\/([^/]*)\/names\/([^/]*)$/.exec(pathname);
    if (asked === null) return send(response, 404, "There is no such page.\n");
    return this.#serveName(response, asked[1] ?? "", asked[2] ?? "");
  }

  /** A browser does not tell a page why a handshake failed; so the page asks here. */
  #serveName(response: ServerResponse, room: string, name: string): void {
    const decodedName = decode(name);
    const problem = roomProblem(decode(room) ?? "") ?? nameProblem(tidyName(decodedName ?? ""));
    if (problem === undefined) send(response, 200, { ok: true });
    else send(response, 422, { ok: false, reason: problem });
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: object | string | undefined,
  headers: OutgoingHttpHeaders = {},
): void {
  if (body === undefined) {
    response.writeHead(status, headers).end();
    return;
  }
  const isBytes = body instanceof Uint8Array;
  const isText = typeof body === "string";
  const type = isText ? "text/plain; charset=utf-8" : "application/json";
  const content = isBytes || isText ? body : JSON.stringify(body);
  response.writeHead(status, { "content-type": type, ...headers });
  response.end(content);
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
