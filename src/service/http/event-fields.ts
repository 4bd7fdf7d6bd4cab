/** What `connected` and `disconnected` tell, in a body or in a batch: checked for its shape. */

/** How a connection ended; a sentence where that is not what it says. */
export function readEnd(value: unknown): { reason: string; code: number } | string {
  if (typeof value !== "object" || value === null) return "what disconnected tells is no object";
  const { code, reason } = value as Record<string, unknown>;
  if (typeof reason === "string" && typeof code === "number") return { reason, code };
  return "disconnected tells no reason and code";
}
