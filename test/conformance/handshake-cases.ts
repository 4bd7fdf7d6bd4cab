/**
 * All cases of the opening handshake: what must be refused, each with its status, and what must
 * not be. They are run by test/handshake-refusals.test.ts; here they only stand together.
 */
import { acceptedGroups } from "./handshake-accepted.ts";
import type { HandshakeGroup } from "./handshake-case.ts";
import { fieldGroups } from "./handshake-fields.ts";
import { hostGroups } from "./handshake-hosts.ts";
import { lineGroups } from "./handshake-lines.ts";
import { listGroups } from "./handshake-lists.ts";
import { strangerGroups } from "./handshake-strangers.ts";
import { targetGroups } from "./handshake-targets.ts";
import { upgradeGroups } from "./handshake-upgrades.ts";

export const refusedGroups: readonly HandshakeGroup[] = [
  ...lineGroups,
  ...targetGroups,
  ...fieldGroups,
  ...hostGroups,
  ...upgradeGroups,
  ...listGroups,
  ...strangerGroups,
];

export const handshakeGroups: readonly HandshakeGroup[] = [...refusedGroups, ...acceptedGroups];
