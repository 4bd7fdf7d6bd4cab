/**
 * Addresses to listen on: `127.0.0.1:8000`, `[::]:8000`, `:8000`. Host names are not resolved,
 * since what a name means can change; `localhost` alone is known.
 */
import { BlockList, isIP, isIPv6 } from "node:net";
import type { ListenAddress } from "./configuration.ts";

const ADDRESS = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/;
const PORT_MAX = 65535;

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** The address, or a sentence that says what is wrong with it. */
export function parseListenAddress(text: string): ListenAddress | string {
  const match = ADDRESS.exec(text);
  if (match === null) {
    if (isIPv6(text)) return `needs brackets and a port, such as "[${text}]:8000"`;
    if (isIP(text) !== 0) return `needs a port, such as ${text}:8000`;
    if (/^\d+$/.test(text)) return `needs a colon before the port, such as ":${text}"`;
    return 'must be an address and a port, such as 127.0.0.1:8000, "[::]:8000" or ":8000"';
  }
  const port = Number(match[3]);
  if (port > PORT_MAX) return `the port must be from 0 to ${PORT_MAX}, not ${port}`;
  if (match[1] !== undefined) {
    const isAddress = isIPv6(match[1]) && !match[1].includes("%");
    return isAddress ? { host: match[1], port } : `${match[1]} is not an IPv6 address`;
  }
  const host = hostOf(match[2] ?? "");
  if (isIP(host) !== 4) return `${host} is not an IP address; names are not looked up here`;
  return { host, port };
}

export function isLoopback(host: string): boolean {
  return loopback.check(host, isIPv6(host) ? "ipv6" : "ipv4");
}

/** For each address the first one before it beside which it could not be bound. */
export function overlaps(addresses: readonly ListenAddress[]): (number | undefined)[] {
  // By family, port and host, and without the host those of the first of any.
  const firsts = new Map<string, number>();
  return addresses.map(({ host, port }, index) => {
    if (port === 0) return undefined;
    const family = `${isIPv6(host) ? "[]" : ""}:${port}`;
    const candidates = [`${family} ${canonical(host)}`, `${family} everything`];
    const keys = isEverything(host) ? [family] : candidates;
    const found = keys.flatMap((key) => firsts.get(key) ?? []);
    for (const key of [family, isEverything(host) ? candidates[1] : candidates[0]]) {
      if (key !== undefined && !firsts.has(key)) firsts.set(key, index);
    }
    return found.length === 0 ? undefined : Math.min(...found);
  });
}

function hostOf(text: string): string {
  if (text === "" || text === "*") return "0.0.0.0";
  return text === "localhost" ? "127.0.0.1" : text;
}

function isEverything(host: string): boolean {
  return host === "0.0.0.0" || canonical(host) === "[::]";
}

function canonical(host: string): string {
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname : host;
}
