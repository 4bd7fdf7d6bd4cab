/**
 * Builds the C files and their tests (native/test) without Node, under the address and undefined
 * behaviour sanitizers, and runs them. The system calls that tests script go through ld's --wrap.
 * An argument runs only the tests whose sentence contains it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const sourceFolder = resolve(import.meta.dirname, "../../native");
const outputFolder = resolve(import.meta.dirname, "../../build/test");
const program = join(outputFolder, "native");
const compiler = process.env.CC ?? "cc";

const flags = [
  "-std=c11",
  "-O1",
  "-g",
  "-fno-omit-frame-pointer",
  "-fsanitize=address,undefined",
  "-fno-sanitize-recover=all",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-D_GNU_SOURCE",
  ...["send", "sendmsg", "recv", "accept4", "epoll_ctl", "epoll_wait"].map(
    (name) => `-Wl,--wrap=${name}`,
  ),
];

function sources(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".c") && !name.startsWith("addon"))
    .sort()
    .map((name) => join(folder, name));
}

function run(command: string, parameters: string[]): boolean {
  const result = spawnSync(command, parameters, { stdio: "inherit" });
  if (result.error !== undefined) {
    process.stderr.write(`${command} could not be run: ${result.error.message}\n`);
  } else if (result.signal !== null) {
    process.stderr.write(`${command} was ended by ${result.signal}\n`);
  }
  return result.status === 0;
}

mkdirSync(outputFolder, { recursive: true });
const files = [...sources(sourceFolder), ...sources(join(sourceFolder, "test"))];
const passed =
  run(compiler, [...flags, ...files, "-o", program]) && run(program, process.argv.slice(2));
process.exitCode = passed ? 0 : 1;
