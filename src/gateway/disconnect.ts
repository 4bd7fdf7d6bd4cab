/**
 * Every way a connection ends, one row each: the name is the log's field, the metric's label and
 * the reason that the service sees.
 */
export interface Disconnect {
  readonly name: string;
  /** RFC 6455, 7.4; what the client sees, and the service in `disconnected`. */
  readonly code: number;
  /** The close frame's reason, before `accepted=<n>`. */
  readonly sentence: string;
  /** Whether the client does well to come back. */
  readonly reconnect: boolean;
  /** Whether the close frame waits for what the service has not acknowledged (departure.ts). */
  readonly settles: boolean;
}

const table = {
  // The client's doing.
  "client-closed": row(1000, "the client closed", true),
  "client-gone": row(1006, "the connection broke", true),
  "client-hung-up": row(1006, "the client ended the stream without a close frame", true),
  "protocol-error": row(1002, "protocol error", false),
  "invalid-utf8": row(1007, "text that is not UTF-8", false),
  "invalid-compression": row(1007, "a message that is not DEFLATE", false),
  "message-too-big": row(1009, "message too big", false),
  "too-many-frames": row(1008, "too many frames in one message", false),
  "too-many-control-frames": row(1008, "too many control frames", false),
  "message-timeout": row(1008, "message not finished in time", true),
  "ping-timeout": row(1001, "no answer to a ping", true),
  "idle-timeout": settled(1001, "idle for too long", true),
  "slow-consumer": row(1013, "reading too slowly", true),
  // The service's doing.
  "service-unavailable": row(1013, "the service is not there", true),
  "service-error": row(1011, "the service failed", true),
  "service-refused": row(1008, "the service refused a message", false),
  "closed-by-service": settled(1000, "closed", false),
  // Ours.
  "lifetime-over": settled(1012, "time to reconnect", true),
  "gateway-stopping": settled(1012, "the gateway restarts", true),
  "buffers-full": row(1013, "the gateway is out of buffers", true),
} as const;

function row(code: number, sentence: string, reconnect: boolean): Omit<Disconnect, "name"> {
  return { code, sentence, reconnect, settles: false };
}

/** Nobody's fault, and nothing is wrong with the client: there is time to count exactly. */
function settled(code: number, sentence: string, reconnect: boolean): Omit<Disconnect, "name"> {
  return { code, sentence, reconnect, settles: true };
}

export type DisconnectName = keyof typeof table;

export const disconnects = Object.fromEntries(
  Object.entries(table).map(([name, row]) => [name, Object.freeze({ name, ...row })]),
) as Readonly<Record<DisconnectName, Disconnect>>;
