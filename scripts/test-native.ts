/**
 * Builds the C files and their tests (native/test) without Node, under the address and undefined
 * behaviour sanitizers, and runs them. The system calls that tests script go through ld's --wrap.
 * An argument runs only the tests whose sentence contains it. Without a zlib the rest is tested.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { replayInputs } from "./fuzz-replay.ts";
import { findZlib } from "./zlib.ts";

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
const zlib = findZlib(compiler);
const files = [...sources(sourceFolder), ...sources(join(sourceFolder, "test"))].filter(
  (path) => zlib !== undefined || !basename(path).startsWith("deflate"),
);
const parameters = [...flags, ...(zlib?.headers ?? []), ...files, ...(zlib?.library ?? [])];
const built = run(compiler, [...parameters, "-o", program]);
const passed = built && run(program, process.argv.slice(2));
if (zlib === undefined) {
  process.stderr.write(
    "SKIPPED: compression (native/deflate.c) was not tested: there is no zlib to link with. " +
      "Debian and Ubuntu: apt-get install zlib1g-dev; Fedora: dnf install zlib-devel; " +
      "Alpine: apk add zlib-dev\n",
  );
}
const isWhole = process.argv.length === 2;
const replayed = !isWhole || replayInputs(compiler, outputFolder);
process.exitCode = passed && replayed ? 0 : 1;
