/**
 * Whether a page of this origin may connect (RFC 6455, 10.2). A browser always says where a page
 * comes from; other clients need not, and are let in.
 */

/** `allowed` undefined: the page's host name must be the request's own, whatever the port. */
export function isOriginAllowed(
  origin: string | undefined,
  host: string,
  allowed: string[] | undefined,
): boolean {
  if (origin === undefined) return true;
  if (allowed === undefined) return isSameHost(origin, host);
  return allowed.includes("*") || allowed.includes(origin.toLowerCase());
}

/** What was compared last, and what came of it: nearly all pages are of one origin. */
const last = { origin: "", host: "", isSame: false };

function isSameHost(origin: string, host: string): boolean {
  if (origin !== last.origin || host !== last.host) {
    const pageHost = hostNameOf(origin);
    last.isSame = pageHost !== undefined && pageHost === hostNameOf(`http://${host}`);
    last.origin = origin;
    last.host = host;
  }
  return last.isSame;
}

function hostNameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
