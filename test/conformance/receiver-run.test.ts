import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { propertyRuns } from "../support/seed.ts";
import { ReceiverRun } from "./receiver-run.ts";
import { chapters } from "./suite.ts";

/** The longest streams byte by byte are for the long form; here they come in pieces. */
const ALL_BYTES_MAX = propertyRuns(1_100_000, 50_000_000);
const PIECE_BYTES = 61;

function bytesOf(stages: readonly { sends: readonly Uint8Array[] }[]): number {
  return stages.flatMap(({ sends }) => sends).reduce((sum, { length }) => sum + length, 0);
}

for (const { number, title, groups } of chapters) {
  describe(`the receiver alone, ${number} ${title}`, () => {
    for (const { id, outcome, stages, extensions } of groups.flatMap(({ cases }) => cases)) {
      test(`${id} in the smallest pieces: ${outcome}`, () => {
        const all = [...stages()];
        const pieceBytes = bytesOf(all) > ALL_BYTES_MAX ? PIECE_BYTES : 1;
        const run = new ReceiverRun(pieceBytes, extensions !== undefined);
        for (const stage of all) run.feed(stage);
      });
    }
  });
}

const fragmented = chapters
  .flatMap(({ groups }) => groups)
  .flatMap(({ cases }) => cases)
  .filter(({ id }) => id === "9.3.1" || id === "9.4.1");

for (const { sentence, stages } of fragmented) {
  test(`${sentence} costs at most twice the bytes received`, () => {
    const run = new ReceiverRun(PIECE_BYTES, false);
    for (const stage of stages()) run.feed(stage);
    assert.ok(run.amplificationMax > 0.5, "it was measured");
    assert.ok(run.amplificationMax <= 2, `${run.amplificationMax} times`);
  });
}
