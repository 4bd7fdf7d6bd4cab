/**
 * What Node's own HTTP server makes of bytes that come on one connection: the requests that it
 * reads, and what it takes for no part of them. It has no socket: the bytes are handed to it.
 */
import { createServer, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";

export interface ParsedRequest {
  method: string | undefined;
  target: string | undefined;
  version: string;
  /** Name in lower case and value, in the order they came in. */
  fields: [name: string, value: string][];
  /** Where the connection left HTTP: what came behind the head. */
  behind: Buffer | undefined;
}

export interface Parsed {
  requests: ParsedRequest[];
  /** The parser's code, where it refused. */
  error: string | undefined;
}

let parsed: Parsed = { requests: [], error: undefined };

const server = createServer({ maxHeaderSize: 65536, requireHostHeader: true });
// With an Expect field a request is announced by another name.
for (const event of ["request", "checkContinue", "checkExpectation"]) {
  server.on(event, (request) => parsed.requests.push(describe(request, undefined)));
}
server.on("upgrade", (request, _socket, behind) => {
  parsed.requests.push(describe(request, behind));
});
server.on("clientError", (error: NodeJS.ErrnoException) => {
  parsed.error = error.code ?? error.message;
});

function describe(request: IncomingMessage, behind: Buffer | undefined): ParsedRequest {
  const { method, url: target, httpVersion: version, rawHeaders } = request;
  const fields: [string, string][] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    fields.push([name.toLowerCase(), value]);
  }
  return { method, target, version, fields, behind };
}

export function parseByNode(bytes: Uint8Array): Parsed {
  parsed = { requests: [], error: undefined };
  const connection = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  connection.on("error", () => {});
  server.emit("connection", connection);
  connection.emit("data", Buffer.from(bytes));
  connection.destroy();
  return parsed;
}
