/**
 * The service behind Headgate's link, as the SDK has it: everybody is let in, and every message
 * is answered with itself. It says so in a line when it listens at PORT.
 */
import { createService } from "../../src/service/service.ts";

const service = createService({ hub: "echo" });
service.on("message", (message) => {
  message.reply(message.bytes, message.isText ? "text" : "binary");
});
await service.listenLink(Number(process.env.PORT));
console.log("listening");
