/**
 * Programs that these tests run and that Debian has: where they are, or a line that cannot be
 * overlooked with the package to install. Nothing is installed from here.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where servers and Go may be that the path of a plain user leaves out. */
const MORE_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/go/bin"];

export function findCommand(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return [...folders, ...MORE_FOLDERS].map((folder) => join(folder, name)).find(isExecutable);
}

/** The first package of those, as [a file or command of it, its name], that is not there. */
export function lacks(who: string, needs: [string, string][]): string | false {
  for (const [what, debianPackage] of needs) {
    const isThere = what.startsWith("/") ? existsSync(what) : findCommand(what) !== undefined;
    if (isThere) continue;
    const bar = "!".repeat(80);
    const sentence = `${who} cannot be tried: there is no ${what}`;
    const advice = `install it with: apt-get install ${debianPackage}`;
    process.stdout.write(`${bar}\nTESTS ARE SKIPPED: ${sentence};\n${advice}\n${bar}\n`);
    return `${sentence} (Debian: ${debianPackage})`;
  }
  return false;
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
