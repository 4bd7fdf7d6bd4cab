/**
 * What a stream has stored, read whole behind everything, as what was taken: its sequence is the
 * order. What instances have read before, between kills of the server, must still stand in it.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Taken } from "../history.ts";
import { describeMessage } from "./nats-events.ts";
import type { Recorded } from "./record.ts";
import { STREAM, StreamReader } from "./stream-reader.ts";

/** Once nothing is published any more; the connection is closed behind it. */
export async function readStored(connection: NatsConnection): Promise<Taken[]> {
  const manager = await jetstreamManager(connection);
  const { first_seq: first, last_seq: last } = (await manager.streams.info(STREAM)).state;
  const stored: Taken[] = [];
  await new Promise<void>((resolve) => {
    const reader = new StreamReader(connection, first, (message, sequence) => {
      stored.push({ atUs: sequence, ...describeMessage(message), acknowledged: true });
      if (sequence === last) resolve();
    });
    void reader.read();
  });
  await connection.close();
  return stored;
}

/** `recorded` is of instances; connects, which no stream stores, are left out. */
export function* findRewritten(
  stored: readonly Taken[],
  recorded: readonly Recorded[],
): Iterable<string> {
  const idAt = new Map(stored.map(({ atUs, id }) => [atUs, id]));
  for (const { sequence, id, event } of recorded) {
    if (sequence === undefined) continue;
    const now = idAt.get(sequence);
    if (now !== id) yield `the stream's ${sequence} was ${event} ${id}, and is ${now ?? "gone"}`;
  }
}
