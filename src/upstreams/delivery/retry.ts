/** How long to wait before the next attempt. It decides about no event and holds no state. */

/** Full jitter: anything up to `baseMs` doubled with each attempt, within `capMs`. */
export function spreadMs(attempt: number, baseMs: number, capMs: number, random: number): number {
  return random * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** Half of the doubled delay and a jittered half: never at once, never past `capMs`. */
export function backoffMs(attempt: number, baseMs: number, capMs: number, random: number): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)) * (0.5 + random / 2);
}

/** RFC 9110, 10.2.3: seconds, or a date. Undefined for what is neither. */
export function readRetryAfterMs(
  header: string | string[] | undefined,
  wallNowMs: number,
): number | undefined {
  if (typeof header !== "string") return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // Anything but a day's name in front is no HTTP date, whatever Date.parse makes of it.
  const dateMs = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(inGmt(text)) : Number.NaN;
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - wallNowMs);
}

/** The form of asctime has its year at the end and no zone: Date.parse takes it for local time. */
function inGmt(date: string): string {
  return / \d{4}$/.test(date) ? `${date} GMT` : date;
}
