/**
 * How many connections a worker may hold: what its descriptors allow, less what services and the
 * process itself may take.
 */
import type { Configuration, HubConfiguration } from "../config/configuration.ts";
import { SLOTS_MAX } from "../core/connection-id.ts";
import { HeadgateError } from "../core/error.ts";

/** Descriptors left for files, the bus and whatever else a process opens. */
const DESCRIPTORS_KEPT = 512;
/** Slots beyond `connectionsMax`, to tell those who come too late. */
const REFUSING_SLOTS = 64;
/** Links of one hub, one for each instance of its service; upstreams/link/ dials no more. */
const LINKS_PER_HUB_MAX = 64;

type ServiceKind = HubConfiguration["service"]["kind"];

/** `slotsMax` is of the reactor. Throws HG_DESCRIPTORS_TOO_FEW. */
export function capacityOf(
  { hubs, limits, listen }: Configuration,
  descriptorLimit: number,
): { connectionsMax: number; slotsMax: number } {
  const forServices = forKinds(hubs, ["http", "link", "nats"]);
  // Links are sockets of the reactor; other carriers have theirs elsewhere.
  const slotsBeside = listen.length + REFUSING_SLOTS + forKinds(hubs, ["link"]);
  const possible = Math.min(
    descriptorLimit - DESCRIPTORS_KEPT - forServices,
    // Where descriptors have no limit, a connection id still names no more slots than these.
    SLOTS_MAX - slotsBeside,
  );
  const connectionsMax = limits.connectionsMax === 0 ? possible : limits.connectionsMax;
  if (connectionsMax <= possible && connectionsMax > 0) {
    return { connectionsMax, slotsMax: connectionsMax + slotsBeside };
  }
  throw new HeadgateError(
    "HG_DESCRIPTORS_TOO_FEW",
    `connectionsMax is ${connectionsMax}, but ${descriptorLimit} descriptors allow ` +
      `${Math.max(0, possible)} for a worker (${forServices} are for services, ` +
      `${DESCRIPTORS_KEPT} for the rest): raise the limit of open files (ulimit -n, or ` +
      "LimitNOFILE in systemd), or lower connectionsMax or serviceInflightMax",
  );
}

function forKinds(hubs: Configuration["hubs"], kinds: readonly ServiceKind[]): number {
  return Object.values(hubs)
    .filter((hub) => kinds.includes(hub.service.kind))
    .map(({ limits, service }) => {
      return service.kind === "link" ? LINKS_PER_HUB_MAX : limits.serviceInflightMax;
    })
    .reduce((sum, count) => sum + count, 0);
}
