/**
 * The instances of a service: for each address one link, which is dialled again whenever it is
 * lost. Names are looked up again meanwhile, so that instances may come and go.
 */
import type { Log } from "../../core/log.ts";
import type { LinkFault } from "../../link/fault.ts";
import type { Agenda, Appointment } from "../delivery/agenda.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import { backoffMs } from "../delivery/retry.ts";
import { type Address, describeAddress, isName, type Resolve } from "./address.ts";
import { Link, type LinkEvents, type LinkGreeting } from "./link.ts";
import { seedOf } from "./rendezvous.ts";
import type { LinkReactor } from "./socket.ts";

const DIAL_BASE_MS = 100;
/** With the time that a connection may take, recovery begins within 5 s. */
const DIAL_CAP_MS = 2000;
const LOOKUP_INTERVAL_MS = 30_000;
/** Of one hub, whatever its names stand for. */
const INSTANCES_MAX = 64;

export interface InstancesParts {
  reactor: LinkReactor;
  agenda: Agenda;
  log: Log;
  quietLog: QuietLog;
  fields: object;
  addresses: readonly Address[];
  connectTimeoutMs: number;
  greeting: LinkGreeting;
  resolve: Resolve;
  random: () => number;
  /** A link could not be made, or not be kept; `cause` says why. */
  failed: (cause: string) => void;
  events: Pick<LinkEvents, "frame" | "leaving" | "read" | "second" | "welcomed">;
  /** One that was welcomed. */
  lost: (link: Link) => void;
}

interface Instance {
  address: Address;
  link: Link | undefined;
  /** Attempts in a row that came to nothing, or to a fault. */
  failures: number;
  redial: Appointment | undefined;
  /** It was said of it that there is no link to it, and there was none since. */
  isToldOf: boolean;
  /** Its name does not stand for it any more: it is not dialled again. */
  isGone: boolean;
}

/** What befell links, ever. */
export type LinkIncidents = {
  welcome: number;
  lost: number;
  /** Of those that were lost, for what the service did wrong. */
  fault: number;
  /** Dialled, and no link came of it. */
  unreachable: number;
};

export class Instances {
  readonly incidents: LinkIncidents = { welcome: 0, lost: 0, fault: 0, unreachable: 0 };
  readonly #parts: InstancesParts;
  readonly #instances = new Map<string, Instance>();
  #lastId = 0;
  /** What each configured address stands for, as far as that is known. */
  readonly #found = new Map<Address, readonly Address[]>();
  /** The next one of each name. */
  readonly #lookups = new Map<Address, Appointment>();
  readonly #lookupFailures = new Map<Address, number>();
  #isClosed = false;

  constructor(parts: InstancesParts) {
    this.#parts = parts;
  }

  open(): void {
    const { addresses } = this.#parts;
    for (const address of addresses) if (!isName(address)) this.#found.set(address, [address]);
    this.#keep([...this.#found.values()].flat());
    for (const address of addresses) if (isName(address)) void this.#lookUp(address);
  }

  close(): void {
    this.#isClosed = true;
    for (const lookup of this.#lookups.values()) this.#parts.agenda.cancel(lookup);
    for (const { link, redial } of this.#instances.values()) {
      this.#parts.agenda.cancel(redial);
      link?.close();
    }
  }

  /** One name that nobody knows, or that takes its time, keeps nobody from the others. */
  async #lookUp(name: Address): Promise<void> {
    const { agenda, failed, fields, quietLog, random, resolve } = this.#parts;
    const { host, port } = name;
    let delayMs = LOOKUP_INTERVAL_MS;
    try {
      const found = (await resolve(host)).map((address) => ({ host: address, port }));
      this.#lookupFailures.delete(name);
      this.#found.set(name, found);
      this.#keep([...this.#found.values()].flat());
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      const sentence = "the name of a service cannot be looked up";
      quietLog.say("warn", { ...fields, name: host, cause }, sentence);
      const failures = this.#lookupFailures.get(name) ?? 0;
      delayMs = backoffMs(failures, DIAL_BASE_MS, DIAL_CAP_MS, random());
      this.#lookupFailures.set(name, failures + 1);
      failed(cause);
    }
    if (this.#isClosed) return;
    this.#lookups.set(
      name,
      agenda.at(nowMs() + delayMs, () => void this.#lookUp(name)),
    );
  }

  /** These are the instances now; a link to another one lives on until it is lost. */
  #keep(addresses: readonly Address[]): void {
    if (this.#isClosed) return;
    const { fields, quietLog } = this.#parts;
    const named = new Map(addresses.map((address) => [describeAddress(address), address]));
    for (const [name, instance] of this.#instances) {
      instance.isGone = !named.has(name);
      if (!instance.isGone || instance.link !== undefined) continue;
      this.#parts.agenda.cancel(instance.redial);
      this.#instances.delete(name);
    }
    for (const [name, address] of named) {
      if (this.#instances.has(name)) continue;
      if (this.#instances.size >= INSTANCES_MAX) {
        const sentence = `a service has more than ${INSTANCES_MAX} addresses; the others are left`;
        quietLog.say("warn", fields, sentence);
        return;
      }
      const none = { link: undefined, redial: undefined };
      const instance = { address, ...none, failures: 0, isToldOf: false, isGone: false };
      this.#instances.set(name, instance);
      this.#dial(instance);
    }
  }

  #dial(instance: Instance): void {
    const { agenda: _, connectTimeoutMs, events, greeting, reactor } = this.#parts;
    const { address } = instance;
    this.#lastId += 1;
    const seed = seedOf(describeAddress(address));
    const options = { id: this.#lastId, seed, reactor, address, connectTimeoutMs, greeting };
    try {
      instance.link = new Link(options, {
        ...events,
        welcomed: (link) => {
          const { fields, log } = this.#parts;
          this.incidents.welcome += 1;
          instance.isToldOf = false;
          log.info({ ...fields, instance: describeAddress(address) }, "linked to the service");
          events.welcomed(link);
        },
        lost: (link, cause, fault) => this.#lost(instance, link, cause, fault),
      });
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#tellOnce(instance, cause);
      this.#failed(instance, cause);
    }
  }

  #lost(instance: Instance, link: Link, cause: string, fault: LinkFault | undefined): void {
    const { fields, lost, quietLog } = this.#parts;
    instance.link = undefined;
    const details = { ...fields, instance: describeAddress(instance.address), cause };
    if (fault !== undefined) {
      const sentence =
        "the service broke the rules of the link, which was closed; it is dialled again";
      this.incidents.fault += 1;
      quietLog.say("error", { ...details, fault: fault.fault }, sentence);
    } else if (link.isWelcome) {
      quietLog.say("warn", details, "a link to the service was lost; it is dialled again");
      // One that leaves as soon as it was welcomed is dialled less and less often as well.
      if (link.seconds > 0) instance.failures = 0;
    } else this.#tellOnce(instance, cause);
    if (link.isWelcome) {
      this.incidents.lost += 1;
      lost(link);
    } else this.incidents.unreachable += 1;
    this.#failed(instance, cause);
  }

  /** Others may be there: then nothing else says that this one never is. */
  #tellOnce(instance: Instance, cause: string): void {
    if (instance.isToldOf) return;
    instance.isToldOf = true;
    const details = { ...this.#parts.fields, instance: describeAddress(instance.address), cause };
    const sentence = "an instance of the service cannot be linked to; it is dialled until it can";
    this.#parts.log.warn(details, sentence);
  }

  #failed(instance: Instance, cause: string): void {
    const { agenda, failed, random } = this.#parts;
    failed(cause);
    if (this.#isClosed) return;
    if (instance.isGone) {
      this.#instances.delete(describeAddress(instance.address));
      return;
    }
    const delayMs = backoffMs(instance.failures, DIAL_BASE_MS, DIAL_CAP_MS, random());
    instance.failures += 1;
    instance.redial = agenda.at(nowMs() + delayMs, () => this.#dial(instance));
  }
}
