/**
 * Runs the conformance suite and writes docs/conformance.md, the table of all its cases with their
 * outcomes. It takes no options and ends with 1 where a case failed.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

// Beside this file in dist/; only tests and what they start know the suite.
const program = fileURLToPath(
  new URL("../test/conformance/write-page.test.child.js", import.meta.url),
);
// From dist/scripts to the package's root.
const page = fileURLToPath(new URL("../../docs/conformance.md", import.meta.url));

// Its standard output is that of Node's test runner, which supports the suite but runs nothing.
const { status, error } = spawnSync(process.execPath, [program, page], {
  stdio: ["ignore", "ignore", "inherit"],
});
if (error !== undefined) throw error;
process.exitCode = status ?? 1;
