/**
 * The targets by name. Each is loaded only when it is wanted: a process fuzzes one of them and
 * should hold nothing of the others.
 */
import type { TargetName } from "../../scripts/fuzz/target-names.ts";
import type { AnyTarget } from "./target.ts";

const loaders: Record<TargetName, () => Promise<AnyTarget>> = {
  frames: async () => (await import("./frames.ts")).frames,
  "ws-receiver": async () => (await import("./ws-receiver.ts")).wsReceiver,
  "request-head": async () => (await import("./request-head.ts")).requestHead,
  "deflate-offers": async () => (await import("./deflate-offers.ts")).deflateOffers,
  deflate: async () => (await import("./deflate.ts")).deflate,
  paths: async () => (await import("./paths.ts")).paths,
  configuration: async () => (await import("./configuration.ts")).configuration,
  link: async () => (await import("./link.ts")).link,
  gateway: async () => (await import("./gateway.ts")).gateway,
};

export function loadTarget(name: TargetName): Promise<AnyTarget> {
  return loaders[name]();
}
