/**
 * The service behind Headgate over core NATS, on NATS's own client: everybody is let in, and every
 * message is answered with itself, on the reply subject that the gateway gave it. It says so in a
 * line when it is subscribed at the server on PORT.
 */
import { connect, headers, type Msg } from "@nats-io/transport-node";

const nats = await connect({
  servers: `nats://127.0.0.1:${process.env.PORT}`,
  // The server has just been started.
  ...{ waitOnFirstConnect: true, maxReconnectAttempts: 200, reconnectTimeWait: 50 },
});
const text = headers();
text.set("content-type", "text/plain");

function answer(error: Error | null, message: Msg): void {
  if (error !== null) throw error;
  const isText = message.headers?.get("content-type").startsWith("text/") === true;
  message.respond(message.data, isText ? { headers: text } : {});
}

function admit(error: Error | null, request: Msg): void {
  if (error !== null) throw error;
  request.respond("{}");
}

nats.subscribe("headgate.event.echo.connect", { callback: admit });
nats.subscribe("headgate.event.echo.message.*", { callback: answer });
await nats.flush();
console.log("subscribed");
