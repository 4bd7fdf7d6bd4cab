/**
 * The chat service's HTTP side, on plain node:http: the page and its settings for browsers, and
 * POST /events for the gateway. What happens in the chat is conversation.ts.
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
import { Chat } from "./chat.ts";
import { type Answer, Conversation } from "./conversation.ts";
import { encodeAttribute, readEvent } from "./events.ts";
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
  #conversation: Conversation;
  #server: Server;

  constructor(options: ChatServiceOptions) {
    const { adminUrl, adminKey: key, hub, log, returnGraceMs = RETURN_GRACE_MS } = options;
    this.#options = options;
    this.#conversation = new Conversation({
      chat: new Chat(() => randomBytes(6).toString("base64url")),
      gateway: new GatewayClient({ adminUrl, hub, key }),
      returnGraceMs,
      log,
    });
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        log(`${request.method} ${request.url}: ${(error as Error).stack}`);
        if (response.headersSent) response.destroy();
        else send(response, 500, "The chat service has a bug here; its log says more.\n");
      });
    });
  }

  /** Resolves with the port; port 0 takes a free one. */
  listen(port: number, host = "127.0.0.1"): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  close(): Promise<void> {
    this.#conversation.close();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://chat");
    if (pathname === "/events") return this.#serveEvent(request, response);
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

  async #serveEvent(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST") {
      return send(response, 405, "Events come by POST.\n", { allow: "POST" });
    }
    const body = await readBody(request, EVENT_BYTES_MAX);
    if (body === undefined) return send(response, 413, "That event is too large.\n");
    const event = readEvent(request.headers, body, this.#options.signingKeys, Date.now());
    if ("sentence" in event) {
      this.#options.log(`An event was refused: ${event.sentence}`);
      return send(response, event.status, `${event.sentence}\n`);
    }
    if (event.hub !== this.#options.hub) {
      return send(response, 404, `This service serves the hub ${this.#options.hub}.\n`);
    }
    return sendAnswer(response, await this.#conversation.take(event));
  }
}

function sendAnswer(response: ServerResponse, answer: Answer): void {
  const headers: OutgoingHttpHeaders = {};
  if (answer.connectionState !== undefined) {
    headers["ce-connectionstate"] = encodeAttribute(answer.connectionState);
  }
  send(response, answer.status, answer.body, headers);
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

/** Undefined when there is more than `bytesMax` of it; the rest is read and thrown away. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= bytesMax) chunks.push(chunk);
  }
  return length <= bytesMax ? Buffer.concat(chunks, length) : undefined;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
