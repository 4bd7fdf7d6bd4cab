/**
 * The machine as the benchmark finds it: its description for a report, and the C programs built
 * with its compiler. It changes nothing outside build/bench.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { join } from "node:path";
import { pinned } from "./child.ts";

export function compileFloor(root: string): { floorBinary: string; loadBinary: string } {
  return {
    floorBinary: compile(root, "floor", "floor.c"),
    loadBinary: compile(root, "load", "load.c", "client.c"),
  };
}

function compile(root: string, name: string, ...files: string[]): string {
  const folder = join(root, "build/bench");
  mkdirSync(folder, { recursive: true });
  const sources = files.map((file) => join(root, "bench/floor", file));
  const output = join(folder, name);
  const flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"];
  execFileSync(process.env.CC ?? "cc", [...flags, "-o", output, ...sources], { stdio: "inherit" });
  return output;
}

export function describeMachine(): string {
  const { model = "unknown" } = cpus()[0] ?? {};
  const date = new Date().toISOString().slice(0, 16).replace("T", " ");
  const places =
    pinned === undefined
      ? "not pinned: the figures say less"
      : `server on core ${pinned[0]}, generator on core ${pinned[1]}`;
  return [
    `${date} UTC, Node ${process.version}, Linux ${release()} ${arch()}`,
    `${cpus().length} × ${model}, ${places}`,
  ].join("\n");
}
