/**
 * A `ws` server as its documentation has it: an echo; connections at `/group` also have a user
 * and are members of one group, which gets what is sent at `/push`; at `/groups` of one for each
 * 100. COMPRESS=1 has it compress.
 */
import { WebSocketServer } from "ws";

const members = new Set();
const groups = new Map();
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.env.PORT),
  perMessageDeflate: process.env.COMPRESS === "1",
  maxPayload: 16 << 20,
});
let users = 0;

server.on("connection", (socket, request) => {
  if (request.url === "/group" || request.url === "/groups") {
    socket.user = `user-${++users}`;
    const group = request.url === "/group" ? members : groupOf(users);
    group.add(socket);
    socket.on("close", () => group.delete(socket));
  }
  if (request.url === "/push") {
    socket.on("message", (message, binary) => {
      for (const member of members) member.send(message, { binary });
    });
  } else {
    socket.on("message", (message, binary) => socket.send(message, { binary }));
  }
  // A client of the benchmark that ends is no failure; `close` follows.
  socket.on("error", () => {});
});

function groupOf(user) {
  const name = `group-${Math.ceil(user / 100)}`;
  if (!groups.has(name)) groups.set(name, new Set());
  return groups.get(name);
}
