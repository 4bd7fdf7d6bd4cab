/**
 * What a service publishes for the events that it got: replies to clients, answers to connect,
 * and the end of a client that was refused. Nothing of it is acknowledged by the gateway.
 */
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { headers } from "@nats-io/transport-node";
import type { Subjects } from "../../upstreams/nats/subjects.ts";
import { type ConnectOutcome, stateHeader } from "../connect-request.ts";
import { typeOf } from "../http/binary.ts";
import type { Message } from "../message.ts";
import type { HeaderMap } from "./received.ts";

/** The client reads it behind the code 1000. */
const REFUSED = "the service refused a message";

export class NatsOutput {
  readonly #connection: NatsConnection;
  readonly #subjects: Subjects;

  constructor(connection: NatsConnection, subjects: Subjects) {
    this.#connection = connection;
    this.#subjects = subjects;
  }

  /** Throws where the server would not take it: it is too long, or the connection is closed. */
  reply(message: Message, received: HeaderMap): void {
    const { connectionId, encodedReply } = message;
    if (encodedReply === undefined) return;
    const fields = headers();
    fields.set("content-type", typeOf(encodedReply.opcode));
    const subject = received.get("headgate-reply-to") ?? this.#subjects.replyTo(connectionId);
    this.#connection.publish(subject, encodedReply.bytes, { headers: fields });
  }

  /** As the gateway itself does it to a client whose message a service over HTTP refuses. */
  endClient({ connectionId }: Message): void {
    const fields = headers();
    fields.set("headgate-action", "close");
    this.#connection.publish(this.#subjects.replyTo(connectionId), REFUSED, { headers: fields });
  }

  answer(request: Msg, outcome: ConnectOutcome): void {
    const fields = headers();
    fields.set("headgate-status", String(outcome.status));
    if (outcome.contentType !== "") fields.set("content-type", outcome.contentType);
    const state = stateHeader(outcome);
    if (state !== undefined) fields.set("ce-connectionstate", state);
    request.respond(outcome.body, { headers: fields });
  }
}
