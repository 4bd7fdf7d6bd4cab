/** Tests of how the page's connection comes back (page/connection.js), with a fake WebSocket. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

interface State {
  name: "connecting" | "live" | "reconnecting" | "closed";
  meaning?: string;
  atMs?: number;
  code?: number;
}

interface PageConnection {
  readonly isLive: boolean;
  send(value: object): boolean;
  retryNow(): void;
  close(): void;
}

interface PageModule {
  adviceFor(code: number): { meaning: string; comesBack: boolean };
  delayBefore(attempt: number, code: number, random: () => number): number;
  Connection: new (options: object) => PageConnection;
}

const { adviceFor, delayBefore, Connection }: PageModule = await import(
  new URL("../../../examples/chat/page/connection.js", import.meta.url).href
);

class FakeSocket extends EventTarget {
  readyState = 0;
  sent: string[] = [];
  closedWith: number | undefined;

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  end(code: number): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(code: number): void {
    this.closedWith = code;
  }
}

let sockets: FakeSocket[];
let states: State[];
let messages: unknown[];
let mayEnter: () => Promise<{ ok: boolean; reason?: string }>;

function connect(): PageConnection {
  return new Connection({
    url: "ws://gateway/chat/lobby",
    onState: (state: State) => states.push(state),
    onMessage: (message: unknown) => messages.push(message),
    mayEnter: () => mayEnter(),
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    random: () => 0.5,
  });
}

function last<T>(list: T[]): T {
  return list.at(-1) as T;
}

/** Lets promises settle; timers are mocked. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  sockets = [];
  states = [];
  messages = [];
  mayEnter = async () => ({ ok: true });
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});

afterEach(() => mock.timers.reset());

test("each close code of the gateway has a meaning, and says whether to come back", () => {
  for (const code of [1001, 1006, 1011, 1012, 1013]) {
    assert.equal(adviceFor(code).comesBack, true, String(code));
  }
  for (const code of [1000, 1002, 1003, 1007, 1008, 1009]) {
    assert.equal(adviceFor(code).comesBack, false, String(code));
  }
  assert.match(adviceFor(1012).meaning, /restarting/);
});

test("the delays double up to a bound and are spread by half", () => {
  const least = [1, 2, 3, 4, 9].map((attempt) => delayBefore(attempt, 1006, () => 0));
  const most = [1, 2, 3, 4, 9].map((attempt) => delayBefore(attempt, 1006, () => 1));
  assert.deepEqual(least, [500, 1000, 2000, 4000, 15_000]);
  assert.deepEqual(most, [1000, 2000, 4000, 8000, 30_000]);
});

test("1012 is come back soon, and 1013 is come back later", () => {
  const soon = [0, 1].map((random) => delayBefore(1, 1012, () => random));
  assert.deepEqual(soon, [200, 1500]);
  assert.equal(
    delayBefore(2, 1012, () => 1),
    2000,
  );
  assert.ok(delayBefore(1, 1013, () => 0) >= 5000);
  assert.ok(delayBefore(9, 1013, () => 0) >= 15_000);
});

test("a connection that breaks says when it comes back, and comes back then", () => {
  const connection = connect();
  sockets[0]?.open();
  assert.equal(last(states).name, "live");
  sockets[0]?.end(1006);
  const { name, atMs = 0 } = last(states);
  assert.equal(name, "reconnecting");
  const waitMs = atMs - Date.now();
  mock.timers.tick(waitMs - 1);
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  assert.equal(sockets.length, 2);
  assert.equal(last(states).name, "connecting");
  sockets[1]?.open();
  assert.equal(connection.isLive, true);
});

test("a close that coming back cannot help ends it, with its meaning", () => {
  connect();
  sockets[0]?.open();
  sockets[0]?.end(1008);
  assert.equal(last(states).name, "closed");
  assert.match(last(states).meaning ?? "", /1008/);
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 1);
});

test("a refused handshake asks the service, and its reason ends the attempts", async () => {
  mayEnter = async () => ({ ok: false, reason: "That name is too long." });
  connect();
  sockets[0]?.end(1006);
  await settle();
  assert.deepEqual(last(states), { name: "closed", meaning: "That name is too long.", code: 0 });
});

test("a gateway that is not there is tried again, and so is a silent service", async () => {
  connect();
  sockets[0]?.end(1006);
  await settle();
  assert.match(last(states).meaning ?? "", /gateway does not answer/);
  mayEnter = async () => {
    throw new Error("no answer");
  };
  mock.timers.tick(30_000);
  sockets[1]?.end(1006);
  await settle();
  assert.match(last(states).meaning ?? "", /service does not answer/);
  assert.equal(last(states).name, "reconnecting");
});

test("the delays begin anew only after a connection that lasted", () => {
  connect();
  const waits: number[] = [];
  for (const lastedMs of [0, 0, 6000]) {
    const socket = last(sockets);
    socket.open();
    mock.timers.tick(lastedMs);
    socket.end(1006);
    const waitMs = (last(states).atMs ?? 0) - Date.now();
    waits.push(waitMs);
    mock.timers.tick(waitMs);
  }
  assert.deepEqual(waits, [750, 1500, 750]);
});

test("the wait can be cut short, once", () => {
  const connection = connect();
  sockets[0]?.open();
  sockets[0]?.end(1013);
  connection.retryNow();
  assert.equal(sockets.length, 2);
  connection.retryNow();
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 2);
});

test("nothing is sent without a connection, and the caller is told", () => {
  const connection = connect();
  assert.equal(connection.send({ a: 1 }), false);
  sockets[0]?.open();
  assert.equal(connection.send({ a: 1 }), true);
  assert.deepEqual(sockets[0]?.sent, ['{"a":1}']);
});

test("what arrives is handed on as it is", () => {
  connect();
  sockets[0]?.open();
  sockets[0]?.dispatchEvent(Object.assign(new Event("message"), { data: "no JSON" }));
  assert.deepEqual(messages, ["no JSON"]);
});

test("after it was closed here nothing is told and nothing is tried any more", async () => {
  const connection = connect();
  sockets[0]?.open();
  const { length } = states;
  connection.close();
  assert.equal(sockets[0]?.closedWith, 1000);
  sockets[0]?.end(1006);
  const message = Object.assign(new Event("message"), { data: "{}" });
  sockets[0]?.dispatchEvent(message);
  await settle();
  mock.timers.tick(60_000);
  assert.deepEqual([states.length, messages.length, sockets.length], [length, 0, 1]);
});
