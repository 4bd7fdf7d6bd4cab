/**
 * A uWebSockets.js server as its documentation has it: an echo; connections at `/group` also have
 * a user and are subscribed to one topic, to which `/push` publishes; at `/groups` to one for each
 * 100. COMPRESS=1 has it compress.
 */
import uWS from "uwebsockets";

const compression = process.env.COMPRESS === "1" ? uWS.SHARED_COMPRESSOR : uWS.DISABLED;
const limits = { maxPayloadLength: 16 << 20, maxBackpressure: 64 << 20, compression };
const app = uWS.App();
const isCompressed = compression !== uWS.DISABLED;
const echo = (socket, message, binary) => socket.send(message, binary, isCompressed);
let users = 0;

app.ws("/", { ...limits, message: echo });
const named = (subscribe) => ({
  ...limits,
  upgrade: (response, request, context) => {
    response.upgrade(
      { user: `user-${++users}` },
      request.getHeader("sec-websocket-key"),
      request.getHeader("sec-websocket-protocol"),
      request.getHeader("sec-websocket-extensions"),
      context,
    );
  },
  open: subscribe,
  message: echo,
});
app.ws(
  "/group",
  named((socket) => socket.subscribe("group")),
);
app.ws(
  "/groups",
  named((socket) => socket.subscribe(`group-${Math.ceil(users / 100)}`)),
);
app.ws("/push", {
  ...limits,
  message: (_socket, message, binary) => app.publish("group", message, binary),
});
app.listen("127.0.0.1", Number(process.env.PORT), (listening) => {
  if (!listening) throw new Error("the port cannot be listened on");
});
