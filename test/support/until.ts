/**
 * Waits for a condition that nobody announces, by looking again and again; the one place where
 * tests do. What announces itself is waited for with Waiters.
 */

const TIMEOUT_MS = 10_000;
const INTERVAL_MS = 2;

/** Fails with `what`, or the condition's own source, when it does not come true. */
export async function until(condition: () => boolean, what = condition.toString()): Promise<void> {
  const endMs = performance.now() + TIMEOUT_MS;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}
