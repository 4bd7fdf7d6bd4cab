/**
 * The opening handshake's part of docs/conformance.md, made from its cases and from which of them
 * failed. As the rest of the page, it holds nothing that differs from one run to the next.
 */
import { type HandshakeCase, type HandshakeGroup, UNANSWERED } from "./handshake-case.ts";
import { handshakeGroups, refusedGroups } from "./handshake-cases.ts";

export function handshakeSection(failures: ReadonlySet<string>): string {
  return [introduction(), ...handshakeGroups.map((group) => table(group, failures))].join("\n\n");
}

function introduction(): string {
  const bad = refusedGroups.flatMap(({ cases }) => cases).length;
  const good = handshakeGroups.flatMap(({ cases }) => cases).length - bad;
  return [
    "## The opening handshake",
    "",
    `${bad} requests that must be refused, and ${good} that must not be, by RFC 9110, RFC 9112`,
    "and RFC 6455. Each is sent whole, in single bytes and at random splits, with the same",
    "answer. Behind each that is refused comes a sound request for a WebSocket: exactly one",
    "answer may come, whose headers are all compared, and then the end of the connection without",
    "a reset. Behind each that is accepted comes a frame, which must be echoed. A rule stands",
    "where it is not obvious; where the RFCs leave a choice, it says what was chosen.",
  ].join("\n");
}

function table({ letter, title, cases }: HandshakeGroup, failures: ReadonlySet<string>): string {
  const rows = cases.map((each) => {
    const { id, sentence, because = "" } = each;
    const answer = failures.has(id) ? `**failed**, not: ${answerOf(each)}` : answerOf(each);
    return `| ${id} | ${sentence} | ${answer} | ${because} |`;
  });
  const head = ["| case | sent | answer | rule |", "| --- | --- | --- | --- |"];
  return [`### ${letter} ${title}`, "", ...head, ...rows].join("\n");
}

function answerOf({ status, refusal }: HandshakeCase): string {
  if (status === UNANSWERED) return "none, and the end";
  return refusal === undefined ? `${status}` : `${status} ${refusal.sentence}`;
}
