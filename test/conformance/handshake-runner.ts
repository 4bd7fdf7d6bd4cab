/**
 * Sends cases of the opening handshake to a gateway, all of a group at once and piece by piece in
 * step, so that the gateway really reads single bytes. It judges nothing.
 */
import { setImmediate as turn } from "node:timers/promises";
import { TEXT } from "../../src/core/opcode.ts";
import { startInProcess } from "../support/in-process-gateway.ts";
import { clientFrame, RawClient } from "../support/raw-client.ts";
import { type HandshakeCase, type HandshakeGroup, UNANSWERED, upgrade } from "./handshake-case.ts";

const cuttings = ["whole", "in single bytes", "at random splits"] as const;
type Cutting = (typeof cuttings)[number];

/** All that the client read, until the end. */
export interface HandshakeOutcome {
  /** With the line end of its last line; undefined: nothing came. */
  head: string | undefined;
  /** Behind a 101 the payloads of the frames; otherwise what stood behind the head. */
  body: string;
  /** Whether the end was one in order, and no reset. */
  endedInOrder: boolean;
}

/** By the way in which the bytes were cut, and by the case's id. */
export type GroupOutcomes = ReadonlyMap<string, ReadonlyMap<string, HandshakeOutcome>>;

/** No clock of the gateway may end a case. */
const LIMITS = "{ handshakeTimeoutMs: 120000, closeTimeoutMs: 120000 }";
const HUB = "paths: [/, '/rooms/:room']\nservice: 'echo:'";

const FIRST = "first";
const CLOSE = 8;
const SPLITS_MAX = 6;

/** Runs a group's cases in every way against a gateway of its own. */
export async function runGroup(
  { cases, hub = HUB }: HandshakeGroup,
  random: () => number,
): Promise<GroupOutcomes> {
  const { port, stop } = await startInProcess({ hub, limits: LIMITS });
  const outcomes = new Map<string, ReadonlyMap<string, HandshakeOutcome>>();
  for (const cutting of cuttings) {
    outcomes.set(cutting, await runHandshakes(port, cases, cutting, random));
  }
  await stop();
  return outcomes;
}

/**
 * Behind a head that is to be accepted comes a frame, which must be echoed, and behind one that
 * is to be refused a whole sound request, which nobody may read.
 */
async function runHandshakes(
  port: number,
  cases: readonly HandshakeCase[],
  cutting: Cutting,
  random: () => number,
): Promise<Map<string, HandshakeOutcome>> {
  const runs = await Promise.all(
    cases.map(async (each) => {
      const bytes = Buffer.concat([Buffer.from(each.bytes, "latin1"), followingBytes(each)]);
      return { each, client: await RawClient.connect(port), pieces: cut(bytes, cutting, random) };
    }),
  );
  const rounds = Math.max(...runs.map(({ pieces }) => pieces.length));
  for (let round = 0; round < rounds; round += 1) {
    for (const { client, pieces } of runs) {
      const piece = pieces[round];
      if (piece !== undefined) client.send(piece);
    }
    // One for the gateway's turn, and one for what it makes of it.
    await turn();
    await turn();
  }
  const outcomes = await Promise.all(
    runs.map(async ({ each, client }) => [each.id, await finish(each, client)] as const),
  );
  return new Map(outcomes);
}

function followingBytes({ status }: HandshakeCase): Buffer {
  if (status === UNANSWERED) return Buffer.alloc(0);
  const close = clientFrame(CLOSE, Buffer.from([0x03, 0xe8]));
  const frames = Buffer.concat([clientFrame(TEXT, FIRST), close]);
  return status === 101 ? frames : Buffer.concat([Buffer.from(upgrade()), frames]);
}

function cut(bytes: Buffer, cutting: Cutting, random: () => number): Buffer[] {
  if (cutting === "whole") return [bytes];
  const splits = new Set<number>();
  const count = cutting === "in single bytes" ? bytes.length : random() * SPLITS_MAX + 1;
  for (let index = 1; index < count; index += 1) {
    const isSingle = cutting === "in single bytes";
    splits.add(isSingle ? index : Math.floor(random() * bytes.length));
  }
  const places = [...splits, bytes.length].sort((a, b) => a - b);
  return places.map((end, index) => bytes.subarray(places[index - 1] ?? 0, end));
}

async function finish({ id, status }: HandshakeCase, client: RawClient): Promise<HandshakeOutcome> {
  if (status === UNANSWERED) client.socket.end();
  try {
    await client.until(() => client.ended || client.closed, `the end of ${id}`);
    client.socket.end();
    await client.until(() => client.closed, `the close of ${id}`);
  } finally {
    client.destroy();
  }
  const payloads = client.frames.map(({ opcode, payload }) => `${opcode}:${payload.toString()}`);
  return {
    head: client.head,
    body: client.status === 101 ? payloads.join() + client.rest : client.rest,
    endedInOrder: client.ended && client.error === undefined,
  };
}
