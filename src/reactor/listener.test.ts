import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { test } from "node:test";
import type { HeadgateError } from "../core/error.ts";
import { type Binding, type ListenOptions, loadBinding } from "./binding.ts";
import { Listeners } from "./listener.ts";

const loopback = { host: "127.0.0.1", port: 0 };

/** Accepts nothing and hands out descriptors that are none. */
class FakeBinding {
  readonly listened: ListenOptions[] = [];
  readonly steered: { descriptor: number; open: number[] }[] = [];
  readonly closed: number[] = [];
  /** What `listen` returns, in turn; then descriptors from 100 on. */
  results: number[] = [];
  steerResult = 0;

  listen(options: ListenOptions): number {
    this.listened.push(options);
    return this.results.shift() ?? 99 + this.listened.length;
  }

  listenPort(): number {
    return 4321;
  }

  steer(descriptor: number, open: Int32Array): number {
    this.steered.push({ descriptor, open: [...open] });
    return this.steerResult;
  }

  asBinding(): Binding {
    return this as unknown as Binding;
  }
}

function open(binding: FakeBinding, addresses = [loopback], members = 2): Promise<Listeners> {
  return Listeners.open({
    addresses,
    members,
    tcpUserTimeoutMs: 30_000,
    binding: binding.asBinding(),
    closeDescriptor: (descriptor) => binding.closed.push(descriptor),
  });
}

test("all members of an address have the port that the first was given", async () => {
  const binding = new FakeBinding();
  const listeners = await open(binding, [loopback, { host: "::1", port: 0 }], 3);
  assert.deepEqual(
    binding.listened.map(({ address, port }) => [address, port]),
    [
      ["127.0.0.1", 0],
      ["127.0.0.1", 4321],
      ["127.0.0.1", 4321],
      ["::1", 0],
      ["::1", 4321],
      ["::1", 4321],
    ],
  );
  assert.deepEqual(listeners.descriptorsOf(1), [101, 104]);
  assert.deepEqual(listeners.addresses, [
    { host: "127.0.0.1", port: 4321 },
    { host: "::1", port: 4321 },
  ]);
});

test("steering reaches the group of every address", async () => {
  const binding = new FakeBinding();
  const listeners = await open(binding, [loopback, { host: "::1", port: 0 }], 3);
  listeners.steer([0, 2]);
  assert.deepEqual(binding.steered, [
    { descriptor: 100, open: [0, 2] },
    { descriptor: 103, open: [0, 2] },
  ]);
});

test("a selector that the kernel refuses is an error that says what it needs", async () => {
  const binding = new FakeBinding();
  binding.steerResult = -1;
  const listeners = await open(binding);
  assert.throws(() => listeners.steer([0]), { code: "HG_STEER_FAILED", message: /EPERM/ });
});

test("when a later socket fails, those before it are closed", async () => {
  const binding = new FakeBinding();
  binding.results = [100, 101, -13];
  const opening = open(binding, [loopback, { host: "::1", port: 0 }]);
  await assert.rejects(opening, {
    code: "HG_LISTEN_FAILED",
    message: /^Cannot listen on \[::1\]:0: .*rights.*EACCES/,
  });
  assert.deepEqual(binding.closed, [100, 101]);
});

test("closing closes every socket once", async () => {
  const binding = new FakeBinding();
  const listeners = await open(binding);
  listeners.close();
  listeners.close();
  assert.deepEqual(binding.closed, [100, 101]);
});

test("a port that another process listens on is refused with its name", async (t) => {
  const server = await listen(t);
  const { port } = server.address() as { port: number };
  const opening = open(new FakeBinding(), [{ host: "127.0.0.1", port }]);
  await assert.rejects(opening, (error: HeadgateError) => {
    assert.equal(error.code, "HG_LISTEN_FAILED");
    assert.match(error.message, new RegExp(`127.0.0.1:${port}: another process has .*EADDRINUSE`));
    return true;
  });
});

test("an address that no interface has is refused with its name", async () => {
  const opening = open(new FakeBinding(), [{ host: "192.0.2.1", port: 4321 }]);
  await assert.rejects(opening, { code: "HG_LISTEN_FAILED", message: /EADDRNOTAVAIL/ });
});

test("a second group does not join the port of a first one in silence", async (t) => {
  const options = { members: 2, tcpUserTimeoutMs: 30_000, binding: loadBinding() };
  const first = await Listeners.open({ ...options, addresses: [loopback] });
  t.after(() => first.close());
  await assert.rejects(Listeners.open({ ...options, addresses: first.addresses }), {
    code: "HG_LISTEN_FAILED",
    message: /EADDRINUSE/,
  });
});

test("a member that is left out gets no client", async (t) => {
  const options = { members: 2, tcpUserTimeoutMs: 30_000, binding: loadBinding() };
  const listeners = await Listeners.open({ ...options, addresses: [loopback] });
  const accepted = [0, 0];
  const servers = [0, 1].map((member) => {
    const [fd] = listeners.descriptorsOf(member);
    const server = createServer((socket) => {
      accepted[member] = (accepted[member] ?? 0) + 1;
      socket.end();
    });
    return server.listen({ fd });
  });
  t.after(() => {
    // Each server owns its descriptor from here on, and closes it.
    for (const server of servers) server.close();
  });
  const { port } = listeners.addresses[0] ?? loopback;
  listeners.steer([1]);
  await connectTimes(40, port);
  assert.deepEqual(accepted, [0, 40]);
  listeners.steer([0, 1]);
  // Forty more that all miss the first member by chance: once in 10^12 runs.
  await connectTimes(40, port);
  assert.notEqual(accepted[0], 0);
});

async function connectTimes(times: number, port: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const socket = connect(port, "127.0.0.1");
    socket.resume();
    await once(socket, "close");
  }
}

async function listen(t: { after(stop: () => void): void }): Promise<Server> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return server;
}
