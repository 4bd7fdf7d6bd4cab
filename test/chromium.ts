/**
 * Finds a Chromium for the tests that need a browser, and installs Debian's where it is missing
 * and may be installed. It downloads no browser of its own.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FOLDERS = ["/usr/bin", "/usr/local/bin", "/snap/bin"];
const INSTALL_TIMEOUT_MS = 180_000;

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Undefined, and a line that cannot be overlooked, when there is no browser to be had. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const chosen = environment.CHROMIUM;
  if (chosen) {
    if (isExecutable(chosen)) return chosen;
    warn(`CHROMIUM is ${chosen}, which cannot be run`);
    return undefined;
  }
  const found = lookFor(environment);
  if (found !== undefined) return found;
  const problem = install(environment);
  if (problem === undefined) return lookFor(environment);
  warn(`there is no Chromium (${problem}); install it, or set CHROMIUM to its path`);
  return undefined;
}

export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ARGUMENTS });
}

function lookFor(environment: NodeJS.ProcessEnv): string | undefined {
  const folders = [...FOLDERS, ...(environment.PATH ?? "").split(delimiter).filter(Boolean)];
  for (const name of NAMES) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not for us: both mean to look on.
    return false;
  }
}

/** Debian's package, without a question and within a bounded time. Returns why it did not. */
function install(environment: NodeJS.ProcessEnv): string | undefined {
  if (process.getuid?.() !== 0) return "and no right to install it";
  const env = { ...environment, DEBIAN_FRONTEND: "noninteractive" };
  const deadlineMs = Date.now() + INSTALL_TIMEOUT_MS;
  for (const command of ["update", "install -y --no-install-recommends chromium"]) {
    const timeout = Math.max(1, deadlineMs - Date.now());
    const { status, error } = spawnSync("apt-get", command.split(" "), {
      env,
      stdio: "ignore",
      timeout,
    });
    if (error !== undefined) return `apt-get: ${error.message}`;
    if (status !== 0) return `apt-get ${command} ended with ${status}`;
  }
  return undefined;
}

function warn(sentence: string): void {
  const bar = "!".repeat(80);
  process.stdout.write(`${bar}\nBROWSER TESTS ARE SKIPPED: ${sentence}.\n${bar}\n`);
}
