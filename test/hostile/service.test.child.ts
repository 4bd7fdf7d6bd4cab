/**
 * The smallest service there is, in a process of its own: it lets everybody in and answers each
 * message with itself. It says its port on stdout and ends with its stdin.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The gateway broke the request off: its client is gone, and nobody awaits the answer.
    return;
  }
  if (request.headers["ce-eventname"] !== "message") {
    response.writeHead(204).end();
    return;
  }
  const type = request.headers["content-type"] ?? "application/octet-stream";
  response.writeHead(200, { "content-type": type }).end(Buffer.concat(chunks));
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
process.stdin.on("end", () => process.exit());
process.stdin.resume();
