/**
 * Reads a JetStream stream from a sequence on, in its order, and goes on where it was when the
 * server comes back. What it brings is never acknowledged: where it was, its reader remembers.
 */
import { AckPolicy, DeliverPolicy, jetstreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { createInbox } from "@nats-io/transport-node";

export const STREAM = "headgate";

const AGAIN_MS = 50;
const ASK_MS = 1000;

type Take = (message: Msg, sequence: number) => void;

export class StreamReader {
  readonly #connection: NatsConnection;
  readonly #take: Take;
  #next: number;
  /** Of the consumer that counts: those before it may still bring something. */
  #subscription: Subscription | undefined;

  constructor(connection: NatsConnection, fromSequence: number, take: Take) {
    this.#connection = connection;
    this.#next = fromSequence;
    this.#take = take;
  }

  /** Until its connection is closed. */
  async read(): Promise<void> {
    this.#begin();
    for await (const { type } of this.#connection.status()) {
      if (type === "reconnect") this.#begin();
    }
  }

  #begin(): void {
    this.#subscription?.unsubscribe();
    const inbox = createInbox();
    const subscription = this.#connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error === null && subscription === this.#subscription) this.#received(message);
      },
    });
    this.#subscription = subscription;
    this.#consume(inbox).catch(() => {
      // There is no stream yet, or the server has gone again.
      setTimeout(() => {
        if (subscription === this.#subscription && !this.#connection.isClosed()) this.#begin();
      }, AGAIN_MS);
    });
  }

  async #consume(inbox: string): Promise<void> {
    const options = { checkAPI: false, timeout: ASK_MS };
    const manager = await jetstreamManager(this.#connection, options);
    await manager.consumers.add(STREAM, {
      deliver_subject: inbox,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.#next,
      ack_policy: AckPolicy.None,
      mem_storage: true,
    });
  }

  #received(message: Msg): void {
    const sequence = sequenceOf(message);
    // A gap is the server's having dropped what we were too slow for.
    if (sequence !== this.#next) this.#begin();
    else {
      this.#next += 1;
      this.#take(message, sequence);
    }
  }
}

/** $JS.ACK.stream.consumer.deliveries.sequence.… */
function sequenceOf({ reply }: Msg): number {
  return Number(reply?.split(".")[5]);
}
