/**
 * One hub as this worker runs it: its configuration, its carrier, its members and counters.
 */
import type { HubConfiguration } from "../config/configuration.ts";
import type { HubCounts, UpstreamCounts } from "../metrics/worker-counts.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { Membership } from "./membership.ts";

export class Hub {
  readonly name: string;
  readonly index: number;
  readonly configuration: HubConfiguration;
  readonly members = new Membership();
  /** Open ones. */
  connections = 0;
  messagesReceived = 0;
  /** Of payload. */
  bytesReceived = 0;
  /** Set once, right after the carrier was opened with this hub's sink. */
  upstream!: Upstream;

  constructor(name: string, index: number, configuration: HubConfiguration) {
    this.name = name;
    this.index = index;
    this.configuration = configuration;
  }

  counts(): HubCounts {
    return {
      connections: this.connections,
      messagesReceivedTotal: this.messagesReceived,
      bytesReceivedTotal: this.bytesReceived,
      upstream: this.#upstreamCounts(),
    };
  }

  /** Without what a carrier counts besides, for it goes over the channel a few times a second. */
  #upstreamCounts(): UpstreamCounts | undefined {
    const counts = this.upstream.counts();
    if (counts === undefined) return undefined;
    const { carrier, inflight, heldConnections, retries } = counts;
    const { dropped, abandoned, incidents, pushes, durations } = counts;
    return {
      ...{ carrier, inflight, heldConnections, retries },
      ...{ dropped, abandoned, incidents, pushes, durations },
    };
  }
}
