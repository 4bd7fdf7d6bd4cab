/**
 * One hub as this worker runs it: its configuration, its carrier, its members and counters.
 */
import type { HubConfiguration } from "../config/configuration.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { Membership } from "./membership.ts";

export class Hub {
  readonly name: string;
  readonly index: number;
  readonly configuration: HubConfiguration;
  readonly members = new Membership();
  /** Set once, right after the carrier was opened with this hub's sink. */
  upstream!: Upstream;

  constructor(name: string, index: number, configuration: HubConfiguration) {
    this.name = name;
    this.index = index;
    this.configuration = configuration;
  }
}
