/** Events as they come over NATS, for the record. */
import type { Msg } from "@nats-io/transport-node";
import type { EventName, Taken } from "../history.ts";
import { describeEvent } from "./record.ts";

export function describeMessage(message: Msg): Omit<Taken, "atUs" | "acknowledged"> {
  const attribute = (name: string) => message.headers?.get(name) ?? "";
  const event = attribute("ce-eventname") as EventName;
  const number = Number(attribute("ce-messagenumber"));
  const connectionId = attribute("ce-connectionid");
  return describeEvent(event, connectionId, attribute("ce-id"), number, message.string());
}
