/** The command line of the benchmark: what it means, and what it is refused for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readBenchCommand, readNumber } from "./options.ts";

const NAMES = ["echo", "idle", "fan-out"];
const read = (...args: string[]) => readBenchCommand(args, NAMES);

test("nothing said is everything measured, and published nowhere", () => {
  assert.deepEqual(read(), {
    ...{ only: undefined, rounds: undefined, seconds: undefined, from: undefined },
    ...{ isQuick: false, isPublished: false, skipsInstall: false },
    hold: { connections: 200_000, seconds: 120 },
  });
});

test("what is said is taken", () => {
  const command = read(
    ...["--only", "echo,fan-out", "--rounds", "9", "--seconds", "0.5", "--skip-install"],
    ...["--hold-connections", "40000", "--hold-seconds", "20", "--quick"],
  );
  assert.deepEqual(command, {
    ...{ only: ["echo", "fan-out"], rounds: 9, seconds: 0.5, from: undefined },
    ...{ isQuick: true, isPublished: false, skipsInstall: true },
    hold: { connections: 40_000, seconds: 20 },
  });
  assert.ok(read("--publish", "--rounds", "9").isPublished);
  assert.ok(read("--publish", "--only", "echo").isPublished);
  const again = read("--from", "a.json", "--publish");
  assert.deepEqual([again.from, again.isPublished], ["a.json", true]);
});

const mistakes: [args: string[], message: RegExp][] = [
  [["--quick", "--publish"], /^--publish and --quick exclude each other: .* quick run/],
  [["--from", "a.json", "--rounds", "3"], /^--from measures nothing, so --rounds has no part/],
  [["--from", "a.json", "--quick"], /^--from measures nothing, so --quick has no part/],
  [["--only", "eco"], /^--only knows no "eco"; there are echo, idle, fan-out\.$/],
  [["--only", "echo,"], /^--only knows no ""; there are/],
  [["--rounds", "0"], /^--rounds 0 is not a whole number from 1 to 60\.$/],
  [["--rounds", "1.5"], /^--rounds 1\.5 is not a whole number from 1 to 60\.$/],
  [["--rounds", "61"], /^--rounds 61 is not/],
  [["--rounds=-1"], /^--rounds -1 is not/],
  [["--rounds="], /^--rounds {2}is not/],
  [["--seconds", "long"], /^--seconds long is not a number above 0 and up to 60\.$/],
  [["--seconds", "1e9"], /^--seconds 1e9 is not/],
  [["--seconds", "0"], /^--seconds 0 is not/],
  [["--hold-seconds", "601"], /^--hold-seconds 601 is not a number above 0 and up to 600\.$/],
  [["--hold-connections", "1000001"], /^--hold-connections 1000001 is not/],
  [
    ["--fast"],
    /^Unknown option '--fast'\. There are --only, --from, --rounds, .*--skip-install\.$/,
  ],
  [["fast"], /^Unexpected argument 'fast'\. There are --only/],
  [["--rounds"], /^Option '--rounds <value>' argument missing\. There are/],
];

for (const [args, message] of mistakes) {
  test(`${args.join(" ")} is refused with what is allowed`, () => {
    assert.throws(() => read(...args), { code: "HG_USAGE", message });
  });
}

test("a number may be allowed to be none", () => {
  const bound = { min: 0, max: 9, isWhole: true };
  assert.equal(readNumber("memory-rounds", "0", bound), 0);
  const message = /^--memory-rounds 10 is not a whole number from 0 to 9\.$/;
  assert.throws(() => readNumber("memory-rounds", "10", bound), { code: "HG_USAGE", message });
});
