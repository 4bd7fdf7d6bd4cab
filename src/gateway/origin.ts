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
  if (allowed === undefined) {
    const pageHost = hostNameOf(origin);
    return pageHost !== undefined && pageHost === hostNameOf(`http://${host}`);
  }
  return allowed.includes("*") || allowed.includes(origin.toLowerCase());
}

function hostNameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
