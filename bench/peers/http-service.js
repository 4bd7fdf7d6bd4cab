/**
 * The service behind Headgate and Pushpin, on plain `node:http`: every client is let in as a user of its own
 * and into one group, and every message is answered with itself. It checks nothing else.
 */
import { createServer } from "node:http";

let users = 0;

function bodyOf(request, use) {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => use(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
}

const server = createServer((request, response) => {
  bodyOf(request, (body) => {
    // Pushpin's form, in which an answer may be what was asked: events of one connection.
    if (request.headers["content-type"] === "application/websocket-events") {
      response.setHeader("content-type", "application/websocket-events");
      response.end(body);
      return;
    }
    switch (request.headers["ce-type"]) {
      case "headgate.sys.connect":
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ userId: `user-${++users}`, groups: ["group"] }));
        return;
      case "headgate.user.message":
        response.setHeader("content-type", request.headers["content-type"]);
        response.end(body);
        return;
      default:
        response.writeHead(204).end();
    }
  });
});
server.keepAliveTimeout = 120_000;
server.listen(Number(process.env.PORT), "127.0.0.1");
