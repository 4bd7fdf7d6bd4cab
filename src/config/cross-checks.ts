/**
 * What takes two settings to judge. It looks at the configuration before it is known to be
 * valid, so that these mistakes are reported together with the others; a value of the wrong
 * type is skipped here, since the schema reports it.
 */
import { formatAddress } from "../core/address.ts";
import { gatewayLimitShape } from "./limits.ts";
import { isLoopback, overlaps, parseListenAddress } from "./listen-address.ts";
import { ambiguities, type PathPattern, parsePathPattern } from "./path-pattern.ts";
import { formatPath, type KeyPath, type Mistake } from "./problem.ts";
import { DEFAULT_ADMIN, DEFAULT_LISTEN, HUB_NAME } from "./schema.ts";
import { checkService } from "./service.ts";

type Mapping = Record<string, unknown>;
type LimitKey = keyof typeof gatewayLimitShape;

export function crossChecks(value: unknown): Mistake[] {
  const root = mapping(value);
  const hubs = mapping(root.hubs);
  return [
    ...checkHubNames(root),
    ...checkPaths(hubs),
    ...Object.entries(hubs).flatMap(([name, hub]) => [
      ...checkEcho(name, mapping(hub)),
      ...checkService(mapping(hub), ["hubs", name]),
    ]),
    ...checkAddresses(root),
    ...checkAdmin(mapping(root.admin)),
    ...checkLimits(mapping(root.limits)),
  ];
}

/** Where a hub's clients connect unless it says so. */
export function defaultPath(hub: string): string {
  return `/client/hubs/${hub}`;
}

function checkHubNames(root: Mapping): Mistake[] {
  if (root.hubs === undefined) return [];
  const names = Object.keys(mapping(root.hubs));
  if (isMapping(root.hubs) && names.length === 0) {
    const message = 'holds no hub; add one, such as "chat" with its service';
    return [{ path: ["hubs"], part: "key", message }];
  }
  return names
    .filter((name) => !HUB_NAME.test(name))
    .map((name) => ({
      path: ["hubs", name],
      part: "key",
      message:
        "is no hub's name; use a letter, then up to 127 letters, digits, underscores and hyphens",
    }));
}

interface UsedPath {
  path: KeyPath;
  text: string;
  pattern: PathPattern;
}

function checkPaths(hubs: Mapping): Mistake[] {
  const all = Object.entries(hubs).flatMap(([name, hub]) => usedPaths(name, mapping(hub)));
  const others = ambiguities(all.map(({ pattern }) => pattern));
  return all.flatMap((used, index): Mistake[] => {
    const other = all[others[index] ?? -1];
    if (other === undefined) return [];
    const place = formatPath(other.path);
    const message =
      other.text === used.text
        ? `${used.text} is taken by ${place}; use another path`
        : `${used.text} and ${other.text} (${place}) match the same requests; change one`;
    return [{ path: used.path, part: "value", message }];
  });
}

function usedPaths(name: string, hub: Mapping): UsedPath[] {
  const parent: KeyPath = ["hubs", name, "paths"];
  const texts: [KeyPath, unknown][] =
    hub.paths === undefined
      ? [[parent, defaultPath(name)]]
      : list(hub.paths).map((text, index) => [[...parent, index], text]);
  return texts.flatMap(([path, text]) => {
    const pattern = typeof text === "string" ? parsePathPattern(text) : "";
    return typeof pattern === "string" ? [] : [{ path, text: String(text), pattern }];
  });
}

function checkEcho(name: string, hub: Mapping): Mistake[] {
  const service = isMapping(hub.service) ? hub.service.url : hub.service;
  if (service !== "echo:" || mapping(hub.auth).connect !== true) return [];
  const message = '"echo:" has no service to ask; set it to false, or remove it';
  return [{ path: ["hubs", name, "auth", "connect"], part: "value", message }];
}

function checkAddresses(root: Mapping): Mistake[] {
  const listeners = root.listen === undefined ? [{}] : list(root.listen);
  const places: [KeyPath, unknown][] = listeners.map((listener, index) => [
    ["listen", index, "address"],
    mapping(listener).address ?? DEFAULT_LISTEN,
  ]);
  places.push([["admin", "address"], mapping(root.admin).address ?? DEFAULT_ADMIN]);
  const all = places.flatMap(([path, text]) => {
    const address = typeof text === "string" ? parseListenAddress(text) : "";
    return typeof address === "string" ? [] : [{ path, address }];
  });
  const others = overlaps(all.map(({ address }) => address));
  return all.flatMap(({ path, address }, index): Mistake[] => {
    const other = all[others[index] ?? -1];
    if (other === undefined) return [];
    const [here, there] = [address, other.address].map(formatAddress);
    const message = `${here} is taken by ${formatPath(other.path)} (${there}); use another port`;
    return [{ path, part: "value", message }];
  });
}

function checkAdmin(admin: Mapping): Mistake[] {
  const mistakes: Mistake[] = [];
  if (admin.key !== undefined && admin.keys !== undefined) {
    const message = "is set beside keys; put every key into keys, and remove this one";
    mistakes.push({ path: ["admin", "key"], part: "key", message });
  }
  const address =
    typeof admin.address === "string" ? parseListenAddress(admin.address) : DEFAULT_ADMIN;
  const hasKey = admin.key !== undefined || list(admin.keys).length > 0;
  // Keys of a wrong type are reported as such; that there are none would not be true.
  const unclear = admin.keys !== undefined && !Array.isArray(admin.keys);
  if (typeof address !== "string" && !isLoopback(address.host) && !hasKey && !unclear) {
    const message =
      "is not a loopback address, and there is no key, so anyone could push; add " +
      "keys, or use 127.0.0.1";
    mistakes.push({ path: ["admin", "address"], part: "value", message });
  }
  return mistakes;
}

function checkLimits(limits: Mapping): Mistake[] {
  return [
    ...checkOrder(limits, "connectTimeoutMs", "below", "handshakeTimeoutMs"),
    ...checkOrder(limits, "writeQueueSoftBytes", "not above", "writeQueueHardBytes"),
    ...checkOrder(limits, "writeStallTimeoutMs", "below", "tcpUserTimeoutMs"),
    ...(limits.pingIntervalMs === 0
      ? []
      : checkOrder(limits, "pongTimeoutMs", "not above", "pingIntervalMs")),
  ];
}

/** Points at the smaller one's key where it is set, and otherwise at the larger one's. */
function checkOrder(
  limits: Mapping,
  small: LimitKey,
  relation: "below" | "not above",
  large: LimitKey,
): Mistake[] {
  const smallValue = limitOf(limits, small);
  const largeValue = limitOf(limits, large);
  if (smallValue === undefined || largeValue === undefined) return [];
  if (smallValue < largeValue || (relation === "not above" && smallValue === largeValue)) return [];
  const key = limits[small] === undefined ? large : small;
  const [shownSmall, shownLarge] = [`${small} (${smallValue})`, `${large} (${largeValue})`];
  const message = `${shownSmall} must be ${relation} ${shownLarge}; change one`;
  return [{ path: ["limits", key], part: "value", message }];
}

function limitOf(limits: Mapping, key: LimitKey): number | undefined {
  const result = gatewayLimitShape[key].safeParse(limits[key]);
  return result.success ? result.data : undefined;
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapping(value: unknown): Mapping {
  return isMapping(value) ? value : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
