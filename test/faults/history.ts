/**
 * What clients, service instances and the gateway have to tell of one run, and every place where
 * the promise of delivery (docs/delivery.md) was broken, as sentences. It is fed when all is
 * over, and of a carrier it knows only what that promises.
 */

export type EventName = "connect" | "connected" | "message" | "disconnected";

/** An event that an instance of the service took, in the order of `atUs`. */
export interface Taken {
  /** Of the machine's monotonic clock, which all processes share. */
  atUs: number;
  event: EventName;
  connectionId: string;
  id: string;
  /** Of a message, as the gateway counts them; otherwise 0. */
  number: number;
  /** Of a message, as its client counts them: what its payload says; otherwise 0. */
  saidNumber: number;
  /** Whose it is: of a message and of connect, what their payload says; otherwise "". */
  client: string;
  /** Whether the instance wrote it down to acknowledge it, or to fail it. */
  acknowledged: boolean;
}

/** What differs between carriers of what is promised. */
export interface Promised {
  /** The second, third and fifth line: what was accepted was taken, and nothing is missing. */
  atLeastOnce: boolean;
  /** Nothing is sent twice, or who takes it leaves out what it has. */
  once: boolean;
  /** An answer is the acknowledgement; otherwise it is a push of its own, and can get lost. */
  answersAcknowledge: boolean;
}

export type ClientEnd =
  | { kind: "open" }
  /** By its own close frame. */
  | { kind: "left" }
  /** `settled`: its service was well, and it was closed for no fault of its own. */
  | { kind: "closed"; code: number; reason: string; settled: boolean };

/** One client, which had one connection. */
export interface ClientStory {
  name: string;
  /** How many messages it sent, numbered from 1. */
  sent: number;
  /** The numbers of the messages whose answers came, as they came. */
  answers: number[];
  /** The numbers of the pushes to its group, as they came. */
  pushes: number[];
  /** The first push that was sent once it was open, and the last that was acknowledged by 202. */
  pushesExpected: { first: number; last: number };
  end: ClientEnd;
}

export interface History {
  clients: ClientStory[];
  taken: Taken[];
  /**
   * How many events the gateway said that it gave up, or that it does not know of; without those
   * of `deaths`, if they count.
   */
  abandoned: number;
  promised: Promised;
  /**
   * When a process was killed and until another was in its place. Only what is not promised at
   * least once may be missing from then: what the process had in its hands, nobody can count.
   */
  deaths: readonly Span[];
}

export interface Span {
  fromUs: number;
  toUs: number;
}

interface Connection {
  connectionId: string;
  /** First arrivals that were acknowledged, in their order. */
  events: Taken[];
}

/** Sentences, the same for the same history; none: everything held. */
export function findViolations(history: History): string[] {
  const taken = [...history.taken].sort((a, b) => a.atUs - b.atUs);
  const connections = byConnection(taken);
  const connectionOf = new Map<string, Connection>();
  for (const { event, client, connectionId } of taken) {
    const connection = connections.get(connectionId) as Connection;
    if (event === "connect") connectionOf.set(client, connection);
  }
  const missing: string[] = [];
  const { promised } = history;
  const violations = [...findIdViolations(taken)];
  if (promised.once) violations.push(...findRepeated(taken));
  for (const connection of connections.values()) {
    violations.push(...findDisorder(connection, promised));
  }
  for (const client of history.clients) {
    const connection = connectionOf.get(client.name);
    if (connection === undefined) {
      violations.push(`${client.name} was let in, and no instance was asked about it`);
      continue;
    }
    violations.push(...findAnswerViolations(client, connection, promised));
    violations.push(...findPushViolations(client));
    violations.push(...findEndViolations(client, connection, promised));
    if (promised.atLeastOnce) missing.push(...findMissing(client, connection));
    else missing.push(...findMissingBetween(client, connection, history.deaths));
  }
  // What was given up is told of by its number alone: so many may be missing, whichever.
  return [...violations, ...missing.slice(history.abandoned)];
}

function byConnection(taken: readonly Taken[]): Map<string, Connection> {
  const connections = new Map<string, Connection>();
  const ids = new Set<string>();
  for (const one of taken) {
    const { connectionId, id } = one;
    const connection = connections.get(connectionId) ?? { connectionId, events: [] };
    connections.set(connectionId, connection);
    if (!one.acknowledged || ids.has(id)) continue;
    ids.add(id);
    connection.events.push(one);
  }
  return connections;
}

/** The second line: an event has one id, and an id one event, however often it comes. */
function* findIdViolations(taken: readonly Taken[]): Iterable<string> {
  const eventOf = new Map<string, string>();
  const idOf = new Map<string, string>();
  for (const { event, connectionId, id, number, saidNumber, client } of taken) {
    const key = `${event}${event === "message" ? ` ${number}` : ""} of ${connectionId}`;
    const whole = event === "message" ? `${key} ("${client} ${saidNumber}")` : key;
    const before = eventOf.get(id);
    if (before !== undefined && before !== whole) yield `id ${id} is ${before} and ${whole}`;
    eventOf.set(id, before ?? whole);
    const idBefore = idOf.get(key);
    if (idBefore !== undefined && idBefore !== id) yield `${key} has ids ${idBefore} and ${id}`;
    idOf.set(key, idBefore ?? id);
  }
}

function* findRepeated(taken: readonly Taken[]): Iterable<string> {
  const ids = new Set<string>();
  for (const { event, connectionId, id, number, acknowledged } of taken) {
    if (ids.has(id)) yield `${event} ${number} of ${connectionId} was taken twice, as ${id}`;
    if (acknowledged) ids.add(id);
  }
}

/**
 * The first and fifth line: connected, then messages from 1, then disconnected; without a gap
 * where nothing may be missing.
 */
function* findDisorder(
  { connectionId, events }: Connection,
  { atLeastOnce }: Promised,
): Iterable<string> {
  let next = 1;
  let isGone = false;
  for (const { event, number, saidNumber } of events) {
    if (isGone) yield `${event} ${number} of ${connectionId} came behind its disconnected`;
    if (event === "connected" && next > 1) {
      yield `connected of ${connectionId} came behind its message ${next - 1}`;
    }
    if (event === "disconnected") isGone = true;
    if (event !== "message") continue;
    if (number !== saidNumber) {
      yield `message ${number} of ${connectionId} is its client's ${saidNumber}`;
    }
    if (atLeastOnce ? number !== next : number < next) {
      yield `message ${number} of ${connectionId} came where ${next} was to come`;
    }
    next = number + 1;
  }
}

/** The first and second line, as a client sees them. */
function* findAnswerViolations(
  { name, sent, answers }: ClientStory,
  connection: Connection,
  { answersAcknowledge }: Promised,
): Iterable<string> {
  const numbers = takenNumbers(connection);
  let next = 1;
  for (const number of answers) {
    if (answersAcknowledge ? number !== next : number < next) {
      yield `${name} got the answer to ${number} where ${next}'s was to come`;
    }
    if (number > sent) yield `${name} got an answer to ${number}, and sent ${sent} messages`;
    else if (!numbers.has(number)) {
      yield `${name} got an answer to ${number}, which no instance acknowledged`;
    }
    next = number + 1;
  }
}

/** The first and sixth line: pushes in their order, each once, and none left out. */
function* findPushViolations({ name, pushes, pushesExpected, end }: ClientStory): Iterable<string> {
  const { first, last } = pushesExpected;
  let before = 0;
  for (const number of pushes) {
    if (number === before) yield `${name} got push ${number} twice`;
    else if (number < before) yield `${name} got push ${number} behind push ${before}`;
    before = number;
  }
  if (end.kind === "left") return;
  const came = new Set(pushes);
  for (let number = first; number <= last; number += 1) {
    if (!came.has(number)) yield `${name} never got push ${number}, which was answered with 202`;
  }
}

/** The third line: a code, and a count that is no more than what was acknowledged. */
function* findEndViolations(
  { name, sent, answers, end }: ClientStory,
  connection: Connection,
  { atLeastOnce, answersAcknowledge }: Promised,
): Iterable<string> {
  if (end.kind !== "closed") return;
  const { code, reason, settled } = end;
  const accepted = acceptedOf(reason);
  if (code === 1005 || code === 1006 || accepted === undefined) {
    yield `${name} was closed with ${code} "${reason}", without code or accepted=<n>`;
    return;
  }
  const numbers = takenNumbers(connection);
  if (accepted > sent) yield `${name} was told accepted=${accepted}, and sent ${sent} messages`;
  for (let number = 1; number <= Math.min(accepted, sent); number += 1) {
    if (atLeastOnce && !numbers.has(number)) {
      yield `${name} was told accepted=${accepted}, and no instance acknowledged ${number}`;
    }
  }
  if (answersAcknowledge && accepted < answers.length) {
    yield `${name} was told accepted=${accepted}, and got ${answers.length} answers`;
  }
  if (settled && accepted < numbers.size) {
    yield `${name} was told accepted=${accepted}, and ${numbers.size} were acknowledged`;
  }
}

/** The third and fifth line: what may only be missing where it was counted. */
function* findMissing({ name, sent, end }: ClientStory, connection: Connection): Iterable<string> {
  const { events, connectionId } = connection;
  if (!events.some(({ event }) => event === "connected")) {
    yield `connected of ${name} (${connectionId}) never came`;
  }
  if (end.kind !== "open" && !events.some(({ event }) => event === "disconnected")) {
    yield `disconnected of ${name} (${connectionId}) never came`;
  }
  // Who was closed with a count knows itself what to send again.
  if (end.kind === "closed") return;
  const numbers = takenNumbers(connection);
  for (let number = 1; number <= sent; number += 1) {
    if (!numbers.has(number)) yield `message ${number} of ${name} was lost in silence`;
  }
}

/**
 * What may be missing where nothing is promised at least once: what somebody counted, or what lay
 * in the hands of a process that was killed.
 */
function* findMissingBetween(
  { name, sent, end }: ClientStory,
  { events }: Connection,
  deaths: readonly Span[],
): Iterable<string> {
  // What was not published, its client knows itself to send again.
  const published = end.kind === "closed" ? Math.min(acceptedOf(end.reason) ?? 0, sent) : sent;
  let fromUs = events[0]?.atUs ?? 0;
  let next = 1;
  function* findBefore(number: number, toUs: number): Iterable<string> {
    const isExcused = deaths.some((death) => death.fromUs <= toUs && death.toUs >= fromUs);
    for (; next < number; next += 1) {
      if (!isExcused) yield `message ${next} of ${name} was lost while no process died`;
    }
  }
  for (const { event, number, atUs } of events) {
    if (event === "message") yield* findBefore(number, atUs);
    if (event === "message") next = number + 1;
    if (event === "disconnected") yield* findBefore(published + 1, atUs);
    fromUs = atUs;
  }
  yield* findBefore(published + 1, Number.POSITIVE_INFINITY);
}

function acceptedOf(reason: string): number | undefined {
  const count = /(?:^| )accepted=(\d+)$/.exec(reason)?.[1];
  return count === undefined ? undefined : Number(count);
}

function takenNumbers({ events }: Connection): Set<number> {
  const messages = events.filter(({ event }) => event === "message");
  return new Set(messages.map(({ number }) => number));
}
