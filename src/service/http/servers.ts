/**
 * The way from an HTTP server or a framework to the events, and back: bodies are read within
 * their bound. Frameworks are known by their shapes alone; none of them is loaded.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { HeadgateError } from "../../core/error.ts";
import type { HttpAnswer } from "./answer.ts";
import type { ServiceEvents } from "./http-events.ts";

/** For `createServer` of node:http. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** What of a Fastify instance is used. */
export interface FastifyInstanceShape {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(
    type: string,
    parser: (request: unknown, payload: unknown, done: (error: null) => void) => void,
  ): unknown;
  route(route: {
    method: ("POST" | "OPTIONS")[];
    url: string;
    handler(
      request: { raw: IncomingMessage },
      reply: { raw: ServerResponse; hijack(): unknown },
    ): void;
  }): unknown;
}

/** What of a Hono context is used. */
export interface HonoContextShape {
  req: { raw: Request };
}

export function nodeHandler(events: ServiceEvents): NodeHandler {
  return (request, response) => void answerNode(events, request, response);
}

/** Other listeners of the server have whatever is not for `path`; without one, that is 404. */
export function attachTo(server: Server, path: string, handler: NodeHandler): void {
  if (typeof path !== "string" || !/^\/[^?#]*$/.test(path)) {
    const sentence = "is no path; give the one of the gateway's service URL, such as /events";
    throw new HeadgateError(
      "HG_SERVICE_OPTIONS",
      `listenHttp: ${JSON.stringify(path)} ${sentence}.`,
    );
  }
  const others = server.listeners("request") as NodeHandler[];
  server.removeAllListeners("request");
  server.on("request", (request, response) => {
    if ((request.url ?? "").split("?", 1)[0] === path) {
      handler(request, response);
    } else if (others.length > 0) {
      for (const other of others) other.call(server, request, response);
    } else {
      response.writeHead(404, { "content-type": "text/plain" });
      response.end(`Events are taken at ${path}.\n`);
    }
  });
}

export function expressHandler(events: ServiceEvents) {
  return (
    request: IncomingMessage & { body?: unknown },
    response: ServerResponse,
    next: () => void,
  ): void => {
    if (request.method !== "POST" && request.method !== "OPTIONS") next();
    else void answerNode(events, request, response);
  };
}

export function fastifyPlugin(events: ServiceEvents, path: string) {
  return (instance: FastifyInstanceShape, _options: unknown, done: () => void): void => {
    instance.removeAllContentTypeParsers();
    // The body is left unread, for the signature is over its bytes.
    instance.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
    instance.route({
      method: ["POST", "OPTIONS"],
      url: path,
      handler: (request, reply) => {
        reply.hijack();
        void answerNode(events, request.raw, reply.raw);
      },
    });
    done();
  };
}

export function honoHandler(events: ServiceEvents) {
  return async ({ req: { raw } }: HonoContextShape): Promise<Response> => {
    const { method } = raw;
    const header = (name: string) => raw.headers.get(name) ?? undefined;
    const early = events.early(method, header);
    if (early !== undefined) return toResponse(early);
    if (raw.bodyUsed) return toResponse(events.failed(bodyUsed()));
    const body = raw.body === null ? Buffer.alloc(0) : await readAll(events, raw.body);
    return toResponse(
      body === undefined ? events.tooLarge() : await events.take({ method, header, body }),
    );
  };
}

function toResponse({ body, headers, status }: HttpAnswer): Response {
  // The constructor refuses a body beside 204, even an empty one.
  return new Response(body.length === 0 ? null : Buffer.from(body), { status, headers });
}

/** Undefined when there is more of it than is taken. */
async function readAll(
  events: ServiceEvents,
  stream: AsyncIterable<Uint8Array>,
): Promise<Buffer | undefined> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    length += piece.length;
    if (length > events.options.bodyBytesMax) return undefined;
    pieces.push(piece);
  }
  return pieces.length === 1 ? asBuffer(pieces[0] as Uint8Array) : Buffer.concat(pieces, length);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

async function answerNode(
  events: ServiceEvents,
  request: IncomingMessage & { body?: unknown },
  response: ServerResponse,
): Promise<void> {
  const header = (name: string) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(",") : value;
  };
  const method = request.method ?? "";
  const early = events.early(method, header);
  if (early !== undefined) {
    // What is not read keeps the connection from its next request.
    request.resume();
    send(response, early);
    return;
  }
  const body = await readNode(events, request);
  if (body === "gone") return;
  if (body instanceof Error) send(response, events.failed(body));
  else if (body === "too large") send(response, events.tooLarge());
  else send(response, await events.take({ method, header, body }));
}

async function readNode(
  events: ServiceEvents,
  request: IncomingMessage & { body?: unknown },
): Promise<Buffer | Error | "gone" | "too large"> {
  // express.raw() leaves the bytes themselves.
  if (request.body instanceof Uint8Array) return asBuffer(request.body);
  if (request.readableDidRead) return bodyUsed();
  try {
    const chunks = request.iterator({ destroyOnReturn: false });
    return (await readAll(events, chunks)) ?? "too large";
  } catch (error) {
    // The gateway broke the request off, and sends it again: nothing was taken.
    if (request.destroyed) return "gone";
    return error as Error;
  }
}

function bodyUsed(): HeadgateError {
  return new HeadgateError(
    "HG_BODY_USED",
    "Something has read the event's body, and its signature is over its bytes: mount Headgate " +
      "before body parsers.",
  );
}

function send(response: ServerResponse, { body, headers, status }: HttpAnswer): void {
  if (response.destroyed) return;
  const length = status === 204 ? {} : { "content-length": String(body.length) };
  response.writeHead(status, { ...headers, ...length });
  response.end(body);
}
