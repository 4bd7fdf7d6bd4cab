/**
 * Where instances of a service listen for links: what the configuration says, and what a name
 * stands for just then.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** An IP address, or the path of a Unix socket with port 0. */
export interface Address {
  host: string;
  port: number;
}

export type Resolve = (host: string) => Promise<string[]>;

/** All addresses of a name, as the system knows them. */
export const resolveByName: Resolve = async (host) => {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
};

/** `link://host:port` or `link+unix:///path`, which have passed the schema. */
export function parseLinkUrl(url: string): Address {
  const path = /^link\+unix:\/\/(.*)$/i.exec(url)?.[1];
  if (path !== undefined) return { host: path, port: 0 };
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

export function isName({ host }: Address): boolean {
  return isIP(host) === 0 && !host.startsWith("/");
}

export function describeAddress({ host, port }: Address): string {
  if (port === 0) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
