import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { fuzzTargets, readInputs } from "./fuzz-targets.ts";

const script = fileURLToPath(new URL("fuzz-native.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "fuzz-targets-"));
after(() => rmSync(folder, { recursive: true }));

function runScript(environment: NodeJS.ProcessEnv, ...args: string[]) {
  const { CI: _, ...others } = process.env;
  const env = { ...others, ...environment };
  return spawnSync(process.execPath, [script, ...args], { encoding: "utf8", env });
}

describe("a fuzz target of the C files", () => {
  for (const { name, sources, inputs, inputBytesMax } of fuzzTargets(process.env.CC ?? "cc")) {
    test(`${name}: its sources and inputs are there, and no input is too long`, () => {
      assert.deepEqual(
        sources.filter((path) => !existsSync(path)),
        [],
      );
      const lengths = readInputs(inputs).map(({ length }) => length);
      assert.ok(lengths.length > 0 && Math.max(...lengths) <= inputBytesMax);
    });
  }

  test("takes the place of the system calls that its own files define", () => {
    const target = fuzzTargets("cc").find(({ name }) => name === "turns");
    const flags = target?.flags ?? [];
    assert.ok(flags.includes("-Wl,--wrap=epoll_wait"));
    assert.ok(flags.includes("-Wl,--wrap=accept4"));
    assert.ok(!flags.includes("-Wl,--wrap=socket"));
  });

  test("has inputs that are lines of hexadecimal with remarks", () => {
    const path = join(folder, "inputs.txt");
    writeFileSync(path, "# a remark\n00ff # another\n\n10\n");
    assert.deepEqual(readInputs(path), [Buffer.from([0, 255]), Buffer.from([16])]);
    assert.deepEqual(readInputs(join(folder, "none.txt")), []);
  });
});

describe("fuzzing without libFuzzer", () => {
  const missing = join(folder, "no-clang");

  test("says what to install, and is no failure", () => {
    const { status, stderr } = runScript({ CLANG: missing });
    assert.match(stderr, /SKIPPED/);
    assert.match(stderr, /apt-get install clang/);
    assert.equal(status, 0);
  });

  test("names the targets when asked for one that is not there", () => {
    const { status, stderr } = runScript({ CLANG: missing }, "--target", "nonsense");
    assert.match(stderr, /there is no target nonsense; there are: .*turns/);
    assert.equal(status, 2);
  });
});
