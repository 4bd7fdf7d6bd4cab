/**
 * Finds a zlib for C programs that are built without Node. The addon does not need it: there the
 * executable exports the zlib that is inside of it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Zlib {
  /** Flags for the compiler, before the sources. */
  headers: string[];
  /** Flags for the linker, behind the sources. */
  library: string[];
}

const PROGRAM = `#include <zlib.h>
int main(void) { return zlibVersion()[0] != ZLIB_VERSION[0]; }`;

/** Headers come with Node; the library without its headers is where dpkg is, which needs it. */
export function findZlib(compiler: string): Zlib | undefined {
  const beside = join(dirname(dirname(realpathSync(process.execPath))), "include/node");
  const headers = existsSync(join(beside, "zlib.h")) ? ["-isystem", beside] : [];
  return ["-lz", "-l:libz.so.1"]
    .map((flag) => ({ headers, library: [flag] }))
    .find((zlib) => isUsable(compiler, zlib));
}

function isUsable(compiler: string, { headers, library }: Zlib): boolean {
  const args = [...headers, "-x", "c", "-", "-x", "none", ...library, "-o", "/dev/null"];
  return spawnSync(compiler, args, { input: PROGRAM }).status === 0;
}
