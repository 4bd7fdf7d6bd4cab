/**
 * What is told of a connection's beginning and end. Nobody waits for the answer, but the event is
 * sent again where its handler fails.
 */
import type { Connection } from "./connection.ts";

class LifecycleEvent {
  readonly connectionId: string;
  /** "" for none. */
  readonly userId: string;
  /** "" for none. */
  readonly subprotocol: string;
  /** When it happened, in milliseconds since 1970. */
  readonly timeMs: number;
  readonly #id: string | undefined;
  readonly #connection: Connection;

  constructor(connection: Connection, id: string | undefined, timeMs: number) {
    this.connectionId = connection.id;
    this.userId = connection.userId;
    this.subprotocol = connection.subprotocol;
    this.timeMs = timeMs;
    this.#id = id;
    this.#connection = connection;
  }

  /** What the handlers of the messages before it set; "" for none. */
  get connectionState(): string {
    return this.#connection.state;
  }

  protected idOr(name: string): string {
    return this.#id ?? `${this.connectionId}/${name}`;
  }
}

/** The client is in. */
export class ConnectedEvent extends LifecycleEvent {
  readonly name = "connected" as const;

  /** The same whenever this event is delivered again. */
  get id(): string {
    return this.idOr(this.name);
  }
}

/** The client is gone, for whatever reason: the last event of its connection. */
export class DisconnectedEvent extends LifecycleEvent {
  readonly name = "disconnected" as const;
  /** A name that docs/operations.md has a row for. */
  readonly reason: string;
  /** The code of the close frame. */
  readonly code: number;

  constructor(
    connection: Connection,
    id: string | undefined,
    timeMs: number,
    end: { reason: string; code: number },
  ) {
    super(connection, id, timeMs);
    this.reason = end.reason;
    this.code = end.code;
  }

  /** The same whenever this event is delivered again. */
  get id(): string {
    return this.idOr(this.name);
  }
}
