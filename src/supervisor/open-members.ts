/**
 * Which listening sockets new connections are steered to. Never none: the kernel needs somebody,
 * and where nobody is well the least bad wait.
 */
import type { MemberState } from "./member.ts";

/** Indices of the open ones. */
export function openMembers(members: readonly { state: MemberState; full: boolean }[]): number[] {
  const ready = indicesOf(members, (member) => member.state === "ready");
  const open = ready.filter((index) => members[index]?.full === false);
  if (open.length > 0) return open;
  // Full ones answer that they are; nobody's queue would only keep clients waiting.
  if (ready.length > 0) return ready;
  // Whoever comes back finds its share of the clients in its queue.
  return indicesOf(members, () => true);
}

function indicesOf<Member>(
  members: readonly Member[],
  matches: (member: Member) => boolean,
): number[] {
  return members.flatMap((member, index) => (matches(member) ? [index] : []));
}
