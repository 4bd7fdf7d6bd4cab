/**
 * A Bun server as its documentation has it: an echo; connections at `/group` also have a user
 * and are subscribed to one topic, to which `/push` publishes; at `/groups` to one for each 100.
 * COMPRESS=1 has it compress.
 */
/* global Bun */
let users = 0;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request, self) {
    const path = new URL(request.url).pathname;
    const user = path.startsWith("/group") ? `user-${++users}` : undefined;
    const taken = self.upgrade(request, path === "/" ? {} : { data: { path, user } });
    return taken ? undefined : new Response("no handshake\n", { status: 400 });
  },
  websocket: {
    maxPayloadLength: 16 << 20,
    backpressureLimit: 64 << 20,
    perMessageDeflate: process.env.COMPRESS === "1",
    open(socket) {
      if (socket.data?.path === "/group") socket.subscribe("group");
      if (socket.data?.path === "/groups") socket.subscribe(`group-${Math.ceil(users / 100)}`);
    },
    message(socket, message) {
      if (socket.data?.path === "/push") server.publish("group", message);
      else socket.send(message);
    },
  },
});
