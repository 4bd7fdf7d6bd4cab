/**
 * What is to become of an event, whatever carrier took it to the service: the words in which
 * carriers tell the lanes what an answer means.
 */
import type { MessageOpcode } from "../../core/opcode.ts";

export interface Reply {
  opcode: MessageOpcode;
  bytes: Uint8Array;
}

/** What an answer says of the connection's state. */
export type StateChange =
  | { kind: "kept" }
  | { kind: "changed"; connectionState: string | undefined }
  | { kind: "wrong"; fault: string };

export type Verdict =
  | { kind: "done"; reply: Reply | undefined; stateChange: StateChange }
  /** Try again until the hold time is over; `reached`: the service itself said so. */
  | { kind: "held"; reached: boolean; retryAfterMs: number | undefined; cause: string }
  /** Try again a few times. */
  | { kind: "failed"; cause: string }
  /** Never try again. */
  | { kind: "refused"; cause: string }
  /** The same: it is longer than the carrier takes, and always will be. */
  | { kind: "too-big"; cause: string };

export const KEPT: StateChange = { kind: "kept" };
