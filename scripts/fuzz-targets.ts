/**
 * The fuzz targets of the C files: what each is built from, and how. Shared by the fuzzing itself
 * and by the tests, which only replay the inputs that are kept. It builds and runs nothing.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { findZlib } from "./zlib.ts";

const nativeFolder = resolve(import.meta.dirname, "../../native");
const fuzzFolder = join(nativeFolder, "fuzz");

export interface FuzzTarget {
  name: string;
  /** All C files but the one that calls it. */
  sources: string[];
  /** Flags for the compiler, those for the linker included. */
  flags: string[];
  /** Inputs as text, which are replayed by tests and are seeds for fuzzing. */
  inputs: string;
  /** Bytes; longer inputs only make it slower. */
  inputBytesMax: number;
}

export const replaySource = join(fuzzFolder, "replay.c");

/** Of everything that is built under sanitizers, for whatever compiler. */
export const sanitizedFlags: readonly string[] = [
  "-std=c11",
  "-O1",
  "-g",
  "-fno-omit-frame-pointer",
  "-fno-sanitize-recover=all",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-UNDEBUG",
  "-D_GNU_SOURCE",
];

interface Parts {
  /** Of the fuzz folder. */
  beside: string[];
  tested: string[];
  usesZlib?: boolean;
  inputBytesMax: number;
}

/** A target is a file `NAME_fuzz.c`; these name the others that belong to it. */
const PARTS: Record<string, Parts> = {
  deflate: {
    beside: ["plain_inflate.c"],
    tested: ["deflate.c"],
    usesZlib: true,
    inputBytesMax: 600,
  },
  mask: { beside: [], tested: ["mask.c"], inputBytesMax: 600 },
  sockets: { beside: [], tested: ["socket.c"], inputBytesMax: 400 },
  turns: {
    beside: ["simulation.c", "simulation_calls.c", "oracle_turn.c", "oracle_verbs.c"],
    tested: ["poller.c", "socket.c"],
    inputBytesMax: 1000,
  },
};

/** Without those that need a zlib where this compiler finds none. */
export function fuzzTargets(compiler: string): FuzzTarget[] {
  const zlib = findZlib(compiler);
  const names = Object.keys(PARTS).filter((name) => zlib !== undefined || !PARTS[name]?.usesZlib);
  const zlibFlags = [...(zlib?.headers ?? []), ...(zlib?.library ?? [])];
  return names.map((name) => describeTarget(name, PARTS[name] as Parts, zlibFlags));
}

function describeTarget(name: string, parts: Parts, zlibFlags: string[]): FuzzTarget {
  const own = [`${name}_fuzz.c`, "script.c", ...parts.beside].map((file) => join(fuzzFolder, file));
  return {
    name,
    sources: [...own, ...parts.tested.map((file) => join(nativeFolder, file))],
    flags: [
      ...wrapped(own).map((call) => `-Wl,--wrap=${call}`),
      ...(parts.usesZlib ? zlibFlags : []),
    ],
    inputs: join(fuzzFolder, "regressions", `${name}.txt`),
    inputBytesMax: parts.inputBytesMax,
  };
}

/** The system calls that these files take the place of. */
function wrapped(files: string[]): string[] {
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  return [...new Set(Array.from(text.matchAll(/\b__wrap_(\w+)/g), (match) => match[1] as string))];
}

/** The inputs of a file of them, without the remarks. */
export function readInputs(path: string): Buffer[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.replace(/\s*#.*$/, ""))
    .filter((line) => line !== "")
    .map((line) => Buffer.from(line, "hex"));
}
