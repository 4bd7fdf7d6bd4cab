/**
 * All chapters in their order. The cases of a chapter stand in its own file; nothing is decided
 * here.
 */
import { autoFragmentation } from "./auto-fragmentation.ts";
import type { Chapter } from "./case.ts";
import { close } from "./close.ts";
import { compressionAsOffered, compressionOfKinds } from "./compression.ts";
import { fragmentation } from "./fragmentation.ts";
import { framing } from "./framing.ts";
import { limits } from "./limits.ts";
import { opcodes } from "./opcodes.ts";
import { pings } from "./pings.ts";
import { reservedBits } from "./reserved-bits.ts";
import { utf8 } from "./utf8.ts";

export const chapters: readonly Chapter[] = [
  framing,
  pings,
  reservedBits,
  opcodes,
  fragmentation,
  utf8,
  close,
  limits,
  autoFragmentation,
  compressionOfKinds,
  compressionAsOffered,
];
