/** The Python codec against the vectors that the TypeScript one is held to. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { skip, startPython, vectors } from "./gateway-side.test.helper.ts";

async function check(path: string): Promise<{ code: number | null; output: string }> {
  const child = startPython("check_vectors.py", [path]);
  const [output, errors, [code]] = await Promise.all([
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, output: output + errors };
}

interface Vectors {
  frames: { name: string; bytes: string; frame: Record<string, unknown> }[];
  faults: { name: string; bytes: string; fault: string }[];
}

test("link.py reads and writes every vector, and finds every fault", { skip }, async () => {
  const { frames, faults } = JSON.parse(readFileSync(vectors, "utf8")) as Vectors;
  const { code, output } = await check(vectors);
  const counts = `${frames.length} frames and ${faults.length} faults: 0 mistakes\n`;
  assert.equal(output, counts);
  assert.equal(code, 0);
});

test("check_vectors.py tells of each vector that is not kept", { skip }, async () => {
  const changed = JSON.parse(readFileSync(vectors, "utf8")) as Vectors;
  const [frame, other] = changed.frames;
  const [fault, whole] = changed.faults;
  if (frame === undefined || other === undefined) throw new Error("there are no frames");
  if (fault === undefined || whole === undefined) throw new Error("there are no faults");
  frame.frame.hub = "another";
  other.bytes = other.bytes.slice(0, -2);
  other.bytes = (other.bytes.length / 2 - 4).toString(16).padStart(8, "0") + other.bytes.slice(8);
  fault.fault = "not-utf8";
  whole.bytes = "000000014d";
  const content = { "vectors.json": JSON.stringify(changed) };
  const { code, output } = await check(join(makeTemporaryFolder(content), "vectors.json"));
  for (const { name } of [frame, other, fault, whole]) assert.ok(output.includes(`${name}: `));
  assert.match(output, /: 6 mistakes\n$/);
  assert.equal(code, 1);
});
