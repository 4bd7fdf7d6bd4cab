/**
 * Builds the addon to build/Release/headgate.node. Where Node's headers stand beside the
 * executable one call of the C compiler does it, without Python, make or a download; elsewhere
 * node-gyp fetches the headers its ordinary way. Does nothing when all is up to date.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

const packageRoot = resolve(import.meta.dirname, "../..");
const sourceFolder = join(packageRoot, "native");
const outputFolder = join(packageRoot, "build/Release");
const addon = join(outputFolder, "headgate.node");
const stampFile = join(outputFolder, "headgate.stamp");

const compiler = process.env.CC ?? "cc";
// The same as in binding.gyp, whose Release configuration might set NDEBUG: assertions stay.
const flags = [
  "-std=c11",
  "-O3",
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",
  "-Wall",
  "-Wextra",
  "-UNDEBUG",
  "-D_GNU_SOURCE",
  "-DNAPI_VERSION=9",
];

/** A failure that the person at the keyboard can mend; printed without a stack. */
class BuildError extends Error {}

function main(): void {
  const headers = join(dirname(dirname(realpathSync(process.execPath))), "include/node");
  const files = readdirSync(sourceFolder).filter((name) => /\.[ch]$/.test(name));
  const stamp = `${[compiler, ...flags, headers, process.version, process.arch].join("\n")}\n`;
  if (isUpToDate(files, stamp)) return;
  if (existsSync(join(headers, "node_version.h"))) {
    compile(
      files.filter((name) => name.endsWith(".c")),
      headers,
    );
  } else {
    runNodeGyp();
  }
  writeFileSync(stampFile, stamp);
  process.stderr.write(`built ${addon}\n`);
}

function isUpToDate(files: string[], stamp: string): boolean {
  if (!existsSync(addon) || !existsSync(stampFile)) return false;
  if (readFileSync(stampFile, "utf8") !== stamp) return false;
  const builtAt = statSync(addon).mtimeMs;
  return files.every((name) => statSync(join(sourceFolder, name)).mtimeMs <= builtAt);
}

/** Writes beside the addon and renames, so that a process that loads it meanwhile sees it whole. */
function compile(sources: string[], headers: string): void {
  mkdirSync(outputFolder, { recursive: true });
  const unfinished = `${addon}.${process.pid}`;
  const paths = sources.map((name) => join(sourceFolder, name));
  const result = spawnSync(compiler, [...flags, "-isystem", headers, ...paths, "-o", unfinished], {
    stdio: "inherit",
  });
  if (result.error === undefined && result.status === 0) {
    renameSync(unfinished, addon);
    return;
  }
  rmSync(unfinished, { force: true });
  if (result.error !== undefined && "code" in result.error && result.error.code === "ENOENT") {
    throw new BuildError(
      `The C compiler "${compiler}" was not found. Install one (Debian and Ubuntu: ` +
        `apt-get install gcc libc6-dev; Fedora: dnf install gcc; Alpine: apk add gcc musl-dev) ` +
        `or name yours in the environment as CC.`,
    );
  }
  throw new BuildError(
    `"${compiler}" could not compile the addon in ${sourceFolder}; its own words stand above. ` +
      `If a system header is missing, install the C library's development files ` +
      `(Debian and Ubuntu: apt-get install libc6-dev; Alpine: apk add musl-dev linux-headers); ` +
      `zlib.h comes with Node's headers, or else with zlib1g-dev or zlib-dev.`,
  );
}

function runNodeGyp(): void {
  const nodeGyp = [
    join(packageRoot, "node_modules/node-gyp/bin/node-gyp.js"),
    // npm names its own copy to the scripts that it runs.
    process.env.npm_config_node_gyp,
  ].find((path) => path !== undefined && existsSync(path));
  if (nodeGyp === undefined) {
    throw new BuildError(
      `Node's headers are not beside ${process.execPath} and node-gyp is not installed. ` +
        `Run "npm ci" with the development dependencies, or use a Node from nodejs.org.`,
    );
  }
  const result = spawnSync(process.execPath, [nodeGyp, "rebuild"], {
    cwd: packageRoot,
    stdio: "inherit",
  });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    throw new BuildError(
      `node-gyp could not build the addon; its own words stand above. It needs Python 3, make ` +
        `and a C++ compiler (Debian and Ubuntu: apt-get install python3 make g++), and fetches ` +
        `Node's headers from nodejs.org, which is not needed with a Node that brings them along.`,
    );
  }
}

try {
  main();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
