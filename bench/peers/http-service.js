/**
 * The service behind Headgate and Pushpin, on plain `node:http`: every client is let in, as a user of
 * its own and into a group unless it comes to `/anonymous`, and every message is answered with
 * itself. It checks nothing else.
 */
import { createServer } from "node:http";

let users = 0;

function bodyOf(request, use) {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => use(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
}

/** At `/groups` a hundred are together in each group. */
function admit(path) {
  if (path === "/anonymous") return {};
  const user = ++users;
  const group = path === "/groups" ? `group-${Math.ceil(user / 100)}` : "group";
  return { userId: `user-${user}`, groups: [group] };
}

/** What a batch is answered with: each of its events, in their order. */
function answersTo(events) {
  return events.map(({ id, type, datacontenttype, data, data_base64 }) =>
    type === "headgate.user.message"
      ? { id, status: 200, datacontenttype, data, data_base64 }
      : { id, status: 204 },
  );
}

const server = createServer((request, response) => {
  bodyOf(request, (body) => {
    // Pushpin's form, in which an answer may be what was asked: events of one connection.
    if (request.headers["content-type"] === "application/websocket-events") {
      response.setHeader("content-type", "application/websocket-events");
      response.end(body);
      return;
    }
    if (request.headers["content-type"]?.startsWith("application/cloudevents-batch+json")) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answersTo(JSON.parse(body))));
      return;
    }
    switch (request.headers["ce-type"]) {
      case "headgate.sys.connect":
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(admit(JSON.parse(body).path)));
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
