/**
 * What can be fuzzed, in the order in which it is. The targets themselves are in test/fuzz/,
 * from which a script imports nothing.
 */
export const targetNames = [
  "frames",
  "ws-receiver",
  "request-head",
  "deflate-offers",
  "deflate",
  "paths",
  "configuration",
  "link",
  "gateway",
] as const;

export type TargetName = (typeof targetNames)[number];
