/**
 * A `ws` server as its documentation has it: an echo; connections at `/group` also have a user
 * and are members of one group, which gets what is sent at `/push`. COMPRESS=1 has it compress.
 */
import { WebSocketServer } from "ws";

const members = new Set();
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.env.PORT),
  perMessageDeflate: process.env.COMPRESS === "1",
  maxPayload: 16 << 20,
});
let users = 0;

server.on("connection", (socket, request) => {
  if (request.url === "/group") {
    socket.user = `user-${++users}`;
    members.add(socket);
    socket.on("close", () => members.delete(socket));
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
