/**
 * Every limit, with its range, default and what happens on breach. This table gives the types,
 * the validation, the editor's schema and the reference page. It holds no limit that is not
 * built, but for those that are off unless set, which can be named with that value alone.
 */
import { z } from "zod";

const KIB = 1024;
const MIB = 1024 * KIB;
/** What a Node timer can wait for. */
const MILLISECONDS_MAX = 2 ** 31 - 1;
const COUNT_MAX = 1_000_000;

/** For the gateway, and for a hub that sets its own. */
export const hubLimitShape = {
  messageBytesMax: limit(
    128 * KIB,
    [KIB, 64 * MIB],
    "Bytes of one message of a client. On breach: close 1009.",
  ),
  unacknowledgedMessagesMax: limit(
    64,
    [1, COUNT_MAX],
    "Messages of one connection that the service has not acknowledged. On breach: " +
      "its socket is not read until the service catches up.",
  ),
  unacknowledgedBytesMax: limit(
    MIB,
    [1, 1024 * MIB],
    "Bytes of one connection that the service has not acknowledged. On breach: its " +
      "socket is not read until the service catches up.",
  ),
  holdTimeoutMs: limit(
    30_000,
    [1, MILLISECONDS_MAX],
    "Milliseconds for which messages wait for a service that is down. On breach: close 1013.",
  ),
  lifetimeMs: limit(
    0,
    [0, MILLISECONDS_MAX],
    "Milliseconds that a connection lives, jittered. 0: for ever. On breach: close 1012.",
  ),
  serviceConnectTimeoutMs: limit(
    2000,
    [1, MILLISECONDS_MAX],
    "Milliseconds for connecting to the service. On breach: the event is tried again.",
  ),
  serviceTimeoutMs: limit(
    10_000,
    [1, MILLISECONDS_MAX],
    "Milliseconds for the service's answer to one event. On breach: the event is " +
      "tried again with the same id.",
  ),
  serviceResponseBytesMax: limit(
    MIB,
    [1, 64 * MIB],
    "Bytes of the service's answer to one event. On breach: as for an answer with status 500.",
  ),
  serviceInflightMax: limit(
    256,
    [2, COUNT_MAX],
    "Events of a hub on their way to its service from one worker, of which a part is kept for " +
      "connect events. On breach: the next ones wait.",
  ),
  batchEventsMax: limit(
    256,
    [1, 100_000],
    "Events of one batch, with `batch: on`. On breach: the next ones wait for the next batch.",
  ),
  batchBytesMax: limit(
    256 * KIB,
    [KIB, 64 * MIB],
    "Bytes of one batch, as it is sent; an event that has more goes alone. On breach: the " +
      "next ones wait for the next batch.",
  ),
  batchesInflightMax: limit(
    4,
    [1, COUNT_MAX],
    "Batches of a hub on their way to its service from one worker. On breach: the next " +
      "events wait, and gather.",
  ),
  serviceConnectionAgeMs: limit(
    60_000,
    [1, MILLISECONDS_MAX],
    "Milliseconds after which a connection to the service is replaced, so that new " +
      "instances get their share.",
  ),
};

/** For the gateway alone. */
export const gatewayLimitShape = {
  requestHeadBytesMax: limit(
    8192,
    [256, MIB],
    "Bytes of a handshake's request line and headers. On breach: 431.",
  ),
  requestHeadersMax: limit(64, [1, 1000], "Headers of a handshake. On breach: 431."),
  requestTargetBytesMax: limit(
    4096,
    [1, MIB],
    "Bytes of a handshake's path and query. On breach: 414.",
  ),
  handshakeTimeoutMs: limit(
    10_000,
    [1, MILLISECONDS_MAX],
    "Milliseconds from accept to 101, the connect event included. On breach: 408.",
  ),
  connectTimeoutMs: limit(
    8000,
    [1, MILLISECONDS_MAX],
    "Milliseconds of them for the connect event; less than `handshakeTimeoutMs`. On breach: 503.",
  ),
  handshakesPendingMax: limit(
    10_000,
    [1, COUNT_MAX],
    "Handshakes in progress in one worker. On breach: 503 with Retry-After.",
  ),
  pushBytesMax: limit(
    MIB,
    [1, 64 * MIB],
    "Bytes of one pushed message. On breach: 413 to the pusher.",
  ),
  pushReceiversRememberedMax: limit(
    1_048_576,
    [1, 2 ** 30],
    "Receivers of pushes with a headgate-push-id that one worker remembers for two minutes. " +
      "On breach: the oldest are forgotten.",
  ),
  fragmentedMessageTimeoutMs: limit(
    30_000,
    [1, MILLISECONDS_MAX],
    "Milliseconds from a message's first byte to its last. On breach: close 1008.",
  ),
  framesPerMessageMax: limit(
    131_072,
    [1, 2 ** 30],
    "Frames of one message. On breach: close 1008.",
  ),
  emptyFramesPerMessageMax: limit(
    1024,
    [0, 2 ** 30],
    "Frames without payload in one message. On breach: close 1008.",
  ),
  controlFramesPerSecond: limit(
    20,
    [1, COUNT_MAX],
    "Pings and pongs of one connection in a second, in the long run. On breach: close 1008.",
  ),
  controlFramesBurst: limit(
    50,
    [1, COUNT_MAX],
    "Pings and pongs of one connection at once. On breach: close 1008.",
  ),
  writeQueueSoftBytes: limit(
    256 * KIB,
    [1, 1024 * MIB],
    "Bytes waiting for one client from which the hub's `slowConsumer` policy " +
      "applies; not above `writeQueueHardBytes`.",
  ),
  writeQueueHardBytes: limit(
    MIB,
    [1, 1024 * MIB],
    "Bytes waiting for one client before a new message. On breach: close 1013.",
  ),
  writeStallTimeoutMs: limit(
    10_000,
    [1, MILLISECONDS_MAX],
    "Milliseconds for which a client may take none of the bytes that wait for it; " +
      "less than `tcpUserTimeoutMs`. On breach: close 1013.",
  ),
  pingIntervalMs: limit(
    25_000,
    [0, MILLISECONDS_MAX],
    "Milliseconds between pings, jittered by 10 %. 0: no pings.",
  ),
  pongTimeoutMs: limit(
    10_000,
    [1, MILLISECONDS_MAX],
    "Milliseconds for any byte to arrive after a ping; not above `pingIntervalMs`. " +
      "Stands still while the socket is not read. On breach: close 1001.",
  ),
  idleTimeoutMs: limit(
    75_000,
    [0, MILLISECONDS_MAX],
    "Milliseconds without any byte, pongs included. Stands still while the socket is " +
      "not read. 0: no limit. On breach: close 1001.",
  ),
  tcpUserTimeoutMs: limit(
    30_000,
    [1, MILLISECONDS_MAX],
    "Milliseconds for which sent bytes may stay unacknowledged by the peer's kernel " +
      "(TCP_USER_TIMEOUT). On breach: reset.",
  ),
  closeTimeoutMs: limit(
    5000,
    [1, MILLISECONDS_MAX],
    "Milliseconds for the service to acknowledge what a client sent that we close, and then " +
      "for the client to finish the close. On breach: closed as it is; reset.",
  ),
  connectionsMax: limit(
    0,
    [0, COUNT_MAX],
    "Connections of one worker. 0: as many as its descriptor limit leaves. On " +
      "breach: 503, and other workers take the new ones.",
  ),
  groupsPerConnectionMax: limit(
    128,
    [1, COUNT_MAX],
    "Groups of one connection. On breach: an error to who asked.",
  ),
  nameBytesMax: limit(
    255,
    [1, 4096],
    "Bytes of the name of a user or group. On breach: an error to who asked.",
  ),
  connectionStateBytesMax: limit(
    4096,
    [0, 64 * KIB],
    "Bytes of the state that a service keeps with a connection. On breach: refused and logged.",
  ),
  lifecycleQueueMax: limit(
    100_000,
    [1, 10 * COUNT_MAX],
    "Connected and disconnected events, of each kind, that wait for a service. On " +
      "breach: counted and logged.",
  ),
  adminBodyBytesMax: limit(
    MIB,
    [1, 64 * MIB],
    "Bytes of a request to the admin listener. On breach: 413.",
  ),
  adminBatchMax: limit(
    1000,
    [1, COUNT_MAX],
    "Items of one request to the admin listener. On breach: 413.",
  ),
};

/** Its default depends on the machine, so the schema has none. */
export const budgetShape = {
  bufferBudgetBytes: z
    .int()
    .min(64 * KIB)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe(
      "Bytes that one worker may hold for messages on their way. Default: a quarter " +
        "of the memory that it may use. On breach: the largest queues go first, then " +
        "handshakes get 503.",
    ),
};

/** Not built yet, and off: for the gateway and for hubs. */
export const unbuiltHubLimitShape = {
  messagesPerSecond: only(0, "Messages of one connection in a second."),
  messagesBurst: only(0, "Messages of one connection at once."),
  bytesPerSecond: only(0, "Bytes of one connection in a second."),
  connectionsPerUserMax: only(0, "Connections of one user."),
  connectionsPerUserPolicy: z
    .literal("refuse-newest")
    .describe("What happens past `connectionsPerUserMax`. Only this value until it is built.")
    .default("refuse-newest"),
};

/** Not built yet, and off or fixed: for the gateway alone. */
export const unbuiltGatewayLimitShape = {
  connectionsPerAddressMax: only(0, "Connections from one address."),
  newConnectionsPerAddressPerSecond: only(0, "New connections from one address in a second."),
  handshakesPendingPerAddressMax: only(0, "Handshakes in progress from one address."),
  newConnectionsPerSecond: only(0, "New connections of one worker in a second."),
  drainPercentPerSecond: only(2, "Percent of the connections that a drain closes in a second."),
  drainTimeoutMs: only(25_000, "Milliseconds after which a drain closes the rest."),
};

function limit(fallback: number, [min, max]: [number, number], description: string) {
  return z.int().min(min).max(max).describe(description).default(fallback);
}

function only<Value extends number>(value: Value, description: string) {
  return z
    .literal(value)
    .describe(`${description} Only this value until it is built.`)
    .default(value as never);
}
