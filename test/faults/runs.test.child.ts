/**
 * One run (run.test.child.ts) after the other over each carrier of the table, or over the one that
 * `--carrier` names. Every run is made, also behind one that failed.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { carriers } from "./run/carriers.ts";

const RUN = fileURLToPath(new URL("run.test.child.js", import.meta.url));

const parameters = process.argv.slice(2);
const options = { carrier: { type: "string" } } as const;
const { values } = parseArgs({ args: parameters, options, strict: false });
const runs =
  values.carrier === undefined
    ? Object.keys(carriers).map((name) => ["--carrier", name, ...parameters])
    : [parameters];
for (const run of runs) {
  const [code] = (await once(fork(RUN, run), "exit")) as [number | null];
  if (code !== 0) process.exitCode = code ?? 1;
}
