/**
 * The one codec of a worker and what works with it, for the hubs whose clients may have their
 * messages compressed. It knows no connection: no message depends on the one before it.
 */
import type { HubConfiguration } from "../config/configuration.ts";
import type { Binding } from "../reactor/binding.ts";
import { Deflation } from "../websocket/deflation.ts";
import { Inflation } from "../websocket/inflation.ts";

export interface Compression {
  readonly inflation: Inflation;
  readonly deflation: Deflation;
}

/** Undefined where no hub has it on: then it costs nothing. */
export function openCompression(
  hubs: Record<string, HubConfiguration>,
  binding: Binding,
): Compression | undefined {
  if (!Object.values(hubs).some(({ compression }) => compression)) return undefined;
  const progress = new Int32Array(2);
  const codec = binding.createCodec(progress);
  return { inflation: new Inflation(codec, progress), deflation: new Deflation(codec) };
}
