/** The version of this package, as its package.json has it. */
import { readFileSync } from "node:fs";

export function packageVersion(): string {
  // From dist/src/supervisor to the package's root.
  const url = new URL("../../../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(url, "utf8")) as { version: string };
  return version;
}
