/**
 * The supervisor's listening sockets: for each configured address one SO_REUSEPORT group with a
 * member for every worker. They live as long as the supervisor, whatever becomes of the workers:
 * closing one would reset the clients that wait in its queue. Nothing is accepted here.
 */
import assert from "node:assert/strict";
import { closeSync } from "node:fs";
import { createServer } from "node:net";
import { getSystemErrorName } from "node:util";
import { formatAddress } from "../core/address.ts";
import { HeadgateError } from "../core/error.ts";
import { type Binding, loadBinding } from "./binding.ts";

/** The kernel lowers it to net.core.somaxconn. */
const BACKLOG = 4096;

/** The one group of an address. */
interface Group {
  host: string;
  port: number;
  /** One for each worker, in the order in which they began to listen: the selector's order. */
  descriptors: number[];
}

export interface ListenersOptions {
  addresses: readonly { host: string; port: number }[];
  /** Workers, and so members of each group. */
  members: number;
  tcpUserTimeoutMs: number;
  binding?: Binding;
  /** `closeSync` unless told otherwise. */
  closeDescriptor?: (descriptor: number) => void;
}

export class Listeners {
  readonly #binding: Binding;
  readonly #groups: Group[] = [];
  readonly #closeDescriptor: (descriptor: number) => void;

  private constructor(binding: Binding, closeDescriptor: (descriptor: number) => void) {
    this.#binding = binding;
    this.#closeDescriptor = closeDescriptor;
  }

  /** Opens every address, or none: what was open is closed again when a later one fails. */
  static async open(options: ListenersOptions): Promise<Listeners> {
    assert(options.members > 0, "a group has a member");
    const { binding = loadBinding(), closeDescriptor = closeSync } = options;
    const listeners = new Listeners(binding, closeDescriptor);
    try {
      for (const { host, port } of options.addresses) {
        await refuseForeignGroup(host, port);
        listeners.#openGroup(host, port, options);
      }
    } catch (error) {
      listeners.close();
      throw error;
    }
    return listeners;
  }

  /** Where clients connect, with the ports that the kernel chose for 0. */
  get addresses(): { host: string; port: number }[] {
    return this.#groups.map(({ host, port }) => ({ host, port }));
  }

  /** The sockets of one worker, one for each address, to be handed over in its `stdio`. */
  descriptorsOf(member: number): number[] {
    return this.#groups.map(({ descriptors }) => {
      const descriptor = descriptors[member];
      assert(descriptor !== undefined, "the member is one of the group");
      return descriptor;
    });
  }

  /** From now on new connections go, at random, to these members alone. */
  steer(openMembers: readonly number[]): void {
    assert(openMembers.length > 0, "a selector leaves somebody open");
    const open = Int32Array.from(openMembers);
    for (const { host, port, descriptors } of this.#groups) {
      const [first] = descriptors;
      assert(first !== undefined);
      const result = this.#binding.steer(first, open);
      if (result < 0) {
        throw new HeadgateError(
          "HG_STEER_FAILED",
          `The kernel refused the selector of ${formatAddress({ host, port })} ` +
            `(${getSystemErrorName(result)}); SO_ATTACH_REUSEPORT_CBPF needs Linux 4.5 or newer ` +
            "and a sandbox that lets setsockopt pass.",
        );
      }
    }
  }

  /** Resets the clients that are waiting to be accepted. */
  close(): void {
    for (const { descriptors } of this.#groups) {
      for (const descriptor of descriptors) this.#closeDescriptor(descriptor);
    }
    this.#groups.length = 0;
  }

  #openGroup(host: string, port: number, options: ListenersOptions): void {
    const group: Group = { host, port, descriptors: [] };
    this.#groups.push(group);
    for (let member = 0; member < options.members; member++) {
      const descriptor = this.#binding.listen({
        address: host,
        port: group.port,
        backlog: BACKLOG,
        userTimeoutMs: options.tcpUserTimeoutMs,
      });
      if (descriptor < 0) throw listenError(host, group.port, getSystemErrorName(descriptor));
      group.descriptors.push(descriptor);
      // Port 0 is chosen once, by the first member.
      if (group.port === 0) group.port = this.#binding.listenPort(descriptor);
    }
  }
}

/**
 * SO_REUSEPORT would let a second gateway of the same user join the port of the first and take
 * half of its clients in silence. A socket that wants the port for itself finds out.
 */
async function refuseForeignGroup(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", (error: NodeJS.ErrnoException) => {
      reject(listenError(host, port, error.code ?? "unknown", error));
    });
    probe.listen({ host, port, exclusive: true }, resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
}

function listenError(host: string, port: number, name: string, cause?: Error): HeadgateError {
  const address = formatAddress({ host, port });
  return new HeadgateError(
    "HG_LISTEN_FAILED",
    `Cannot listen on ${address}: ${adviceFor(name, port)} (${name}).`,
    { cause },
  );
}

function adviceFor(name: string, port: number): string {
  switch (name) {
    case "EADDRINUSE":
      return `another process has port ${port}; stop it, or choose another port under "listen"`;
    case "EACCES":
    case "EPERM":
      return `port ${port} needs rights that this user does not have; choose one from 1024 on`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EINVAL":
      return 'no interface of this machine has that address; correct it under "listen"';
    case "EAFNOSUPPORT":
      return 'this machine does not speak that kind of address; use the other one under "listen"';
    case "EMFILE":
    case "ENFILE":
      return "no file descriptor is left; raise the limit (ulimit -n), or run fewer workers";
    default:
      return "the kernel refused";
  }
}
