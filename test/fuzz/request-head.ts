/**
 * Target: request heads and the opening handshake. The verdict is the same at any split, nothing
 * throws, and whatever is accepted Node's strict parser reads as the same one request with the
 * same end: nobody can hide a second one in it.
 */
import assert from "node:assert/strict";
import { checkUpgrade } from "../../src/websocket/handshake.ts";
import { COMPLETE, INCOMPLETE, RequestHead } from "../../src/websocket/request-head.ts";
import { parseByNode } from "./node-request-parser.ts";
import { requestText } from "./request-heads.ts";
import { smallerStream } from "./shrink.ts";
import { count, type Target } from "./target.ts";

interface RequestCase {
  bytes: Uint8Array;
  pieces: number[];
}

interface Verdict {
  outcome: string;
  /** Of a head that is complete. */
  head: { method: string; target: string; fields: Record<string, string[]> } | undefined;
  length: number;
  /** Whether it is let through, or why not. */
  upgrade: "accepted" | string;
}

const limits = { requestHeadBytesMax: 1024, requestHeadersMax: 12, requestTargetBytesMax: 200 };
const TAB = 0x09;
const SPACE = 0x20;
/** One for all, as in a worker. */
const head = new RequestHead(limits);
const tally = new Map<string, number>();

export const requestHead: Target<RequestCase> = {
  tally,
  shortRuns: 1000,
  smaller: smallerStream,

  generate(random) {
    const bytes = Buffer.from(requestText(random), "latin1");
    return { bytes, pieces: random.pieces(bytes.length) };
  },

  check({ bytes, pieces }) {
    const whole = read(bytes, [bytes.length]);
    assert.deepEqual(read(bytes, pieces), whole, "in pieces");
    const singly = Array.from(bytes, () => 1);
    assert.deepEqual(read(bytes, singly), whole, "byte by byte");
    count(tally, whole.upgrade === "" ? whole.outcome : whole.upgrade);
    if (whole.head === undefined) return;
    checkByNode(bytes, whole);
    // Node lets these pass, and others on the way may read them in another way.
    const { host, "transfer-encoding": encodings } = whole.head.fields;
    assert(host?.length === 1 && encodings === undefined, "one host and no body");
  },
};

function read(bytes: Uint8Array, pieces: readonly number[]): Verdict {
  let [state, scanned]: [number, number] = [INCOMPLETE, 0];
  for (const piece of [...pieces, bytes.length]) {
    const end = Math.min(scanned + piece, bytes.length);
    state = head.read(bytes, 0, end, scanned);
    scanned = end;
    if (state !== INCOMPLETE || end === bytes.length) break;
  }
  if (state === INCOMPLETE)
    return { outcome: "incomplete", head: undefined, length: 0, upgrade: "" };
  if (state !== COMPLETE) {
    const { status, sentence } = head.refusal;
    return { outcome: `${status} ${sentence}`, head: undefined, length: 0, upgrade: "" };
  }
  const { target, length } = head;
  assert.equal(head.path + (target.includes("?") ? "?" : "") + head.query, target);
  const upgrade = checkUpgrade(head);
  const refusal = "status" in upgrade ? `${upgrade.status} ${upgrade.sentence}` : undefined;
  const about = { method: "GET", target, fields: head.headers() };
  return { outcome: "complete", head: about, length, upgrade: refusal ?? "accepted" };
}

/** Whatever we take, it must take as one request, with the same end. */
function checkByNode(bytes: Uint8Array, { head: ours, length, upgrade }: Verdict): void {
  const { requests, error } = parseByNode(bytes.subarray(0, length));
  if (error === "HPE_UNEXPECTED_CONTENT_LENGTH") {
    checkWithoutLengths(bytes, length);
    count(tally, "explained: Node refuses Content-Length: 0 where it is repeated");
    return;
  }
  // RFC 9110, 5.6.3: tabs may surround a value as spaces may.
  if (error === "HPE_INVALID_CONTENT_LENGTH") {
    assert.match(Buffer.from(bytes).toString("latin1"), /^content-length:[ \t]*0 *\t/im);
    checkWithoutLengths(bytes, length);
    count(tally, "explained: Node refuses a tab behind Content-Length: 0");
    return;
  }
  assert.equal(error, undefined, "Node refuses what we take");
  assert.equal(requests.length, 1, "Node reads one request");
  const [theirs] = requests;
  assert.equal(theirs?.method, ours?.method);
  assert.equal(theirs?.target, ours?.target);
  assert.equal(theirs?.version, "1.1");
  const fields: Record<string, string[]> = Object.create(null);
  for (const [name, value] of theirs?.fields ?? []) {
    fields[name] ??= [];
    fields[name].push(value);
  }
  assert.deepEqual(ours?.fields, fields);
  if (upgrade === "accepted") checkEnd(bytes, length);
}

/**
 * Node refuses a Content-Length that is repeated. RFC 9112, 6.3, lets one pass if "all values in
 * the list are valid, and all values in the list are the same"; we let zeroes pass. Without them
 * Node must agree on all the rest.
 */
function checkWithoutLengths(bytes: Uint8Array, length: number): void {
  const text = Buffer.from(bytes).toString("latin1");
  const fields = text.slice(0, length).replaceAll(/^content-length:[ \t]*0[ \t]*\r\n/gim, "");
  const without = Buffer.from(fields + text.slice(length), "latin1");
  assert(without.length < bytes.length - 2, "there are none to leave out");
  const verdict = read(without, [without.length]);
  assert.equal(verdict.outcome, "complete");
  checkByNode(without, verdict);
}

/** What is behind an accepted head is behind it for Node too, and no request. */
function checkEnd(bytes: Uint8Array, length: number): void {
  const behind = Buffer.from(bytes.subarray(length)).toString("hex");
  if (behindByNode(bytes) === behind) return;
  // Node knows only spaces beside the words of Connection; RFC 9110, 5.6.3: "*( SP / HTAB )".
  const spaced = Uint8Array.from(bytes, (byte, at) => (byte === TAB && at < length ? SPACE : byte));
  assert.equal(behindByNode(spaced), behind, "Node reads an upgrade with the same end");
  count(tally, "explained: Node sees no upgrade where a tab stands beside the word");
}

function behindByNode(bytes: Uint8Array): string | undefined {
  const { requests } = parseByNode(bytes);
  return requests.length === 1 ? requests[0]?.behind?.toString("hex") : undefined;
}
