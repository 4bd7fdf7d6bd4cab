/**
 * Runs the inputs that the fuzz targets of the C files keep as text, under the sanitizers of
 * whatever compiler there is: what was found once stays mended, where libFuzzer is not installed
 * too. Part of the C tests.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fuzzTargets, replaySource, sanitizedFlags } from "./fuzz-targets.ts";

/** Whether all of them pass; every target is tried. */
export function replayInputs(compiler: string, outputFolder: string): boolean {
  mkdirSync(outputFolder, { recursive: true });
  const results = fuzzTargets(compiler).map(({ name, sources, flags, inputs }) => {
    const program = join(outputFolder, `replay-${name}`);
    const args = [...sanitizedFlags, "-fsanitize=address,undefined", replaySource];
    const passed =
      run(compiler, [...args, ...sources, ...flags, "-o", program]) && run(program, [inputs]);
    process.stdout.write(`${passed ? "ok  " : "fail"} the inputs that are kept of ${name}\n`);
    return passed;
  });
  return results.every(Boolean);
}

function run(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: "inherit" }).status === 0;
}
