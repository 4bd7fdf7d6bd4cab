/**
 * CloudEvents attribute values in HTTP headers: percent-encoded as the HTTP binding 1.0.2 says in
 * 3.1.3.2. More is encoded here than must be, which any reader of it undoes alike.
 */

export function encodeAttribute(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

/** What is no UTF-8 behind its percent signs is left as it came. */
export function decodeAttribute(value: string | undefined): string {
  if (value === undefined) return "";
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return value;
  }
}
