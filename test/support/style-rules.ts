/**
 * The house style as far as a program can see it, in the same shape as the architecture's rules.
 * Words that a rule forbids are put together here from parts, since this file is read as well.
 */
import { find, isTest, type Rule, type Source, source } from "./rules.ts";

const FILE_LINES_MAX = 400;
const LINE_COLUMNS_MAX = 100;
const NATIVE_LINES_MAX = 1600;
/** The one file that may know Node cannot be split into several that know it. */
const UNDIVIDED = "native/addon.c";

function isCode({ path }: Source): boolean {
  return /\.(?:ts|c|h)$/.test(path);
}

function isTypeScript({ path }: Source): boolean {
  return path.endsWith(".ts");
}

function linesOf({ text }: Source): string[] {
  return text.replace(/\n$/, "").split("\n");
}

function all({ text }: Source): string {
  return text;
}

const shortFiles: Rule = {
  sentence: `no file has more than ${FILE_LINES_MAX} lines, ${UNDIVIDED} apart`,
  check: (sources) =>
    sources
      .filter((each) => isCode(each) && each.path !== UNDIVIDED)
      .filter((each) => linesOf(each).length > FILE_LINES_MAX)
      .map((each) => `${each.path}: ${linesOf(each).length} lines`),
  bad: [[source("src/core/a.ts", "\n".repeat(FILE_LINES_MAX + 1))]],
};

const shortLines: Rule = {
  sentence: `no line of code has more than ${LINE_COLUMNS_MAX} columns`,
  check: (sources) =>
    sources.filter(isCode).flatMap((each) =>
      linesOf(each).flatMap((line, index) => {
        const columns = [...line].length;
        return columns > LINE_COLUMNS_MAX ? [`${each.path}:${index + 1}: ${columns} columns`] : [];
      }),
    ),
  bad: [[source("native/a.c", `\n${"x".repeat(LINE_COLUMNS_MAX + 1)}\n`)]],
};

const littleC: Rule = {
  sentence: `the addon stays under ${NATIVE_LINES_MAX} lines of C, tests and fuzzing apart`,
  check: (sources) => {
    const native = sources.filter(({ path }) => /^native\/(?!fuzz\/|.*test).*\.[ch]$/.test(path));
    const lines = native.reduce((sum, each) => sum + linesOf(each).length, 0);
    return lines < NATIVE_LINES_MAX ? [] : [`native/: ${lines} lines`];
  },
  bad: [[source("native/a.c", "\n".repeat(NATIVE_LINES_MAX))]],
};

const noBarrels: Rule = {
  sentence: "no file only exports what others own, but the package's entry",
  check: (sources) =>
    sources
      .filter((each) => isTypeScript(each) && each.path !== "src/index.ts" && each.scan.barrel)
      .map(({ path }) => path),
  bad: [
    [source("src/core/a.ts", 'export * from "./b.ts";\nexport type { C } from "./c.ts";\n')],
    [source("src/core/a.ts", '// All.\nimport { b } from "./b.ts";\nexport { b };\n')],
  ],
};

const LEFT_BEHIND = new RegExp(`\\b(?:${["TO", "FIX", "XX", "HA"].join("|")})(?:DO|ME|X|CK)\\b`);

const nothingLeftBehind: Rule = {
  sentence: "nothing is left for later in a comment",
  check: (sources) => find(sources, LEFT_BEHIND, all),
  bad: [[source("src/core/a.ts", `// ${"TO"}${"DO"}: later`)]],
};

const everyTestRuns: Rule = {
  sentence: "no test is singled out, and none is skipped without a reason",
  check: (sources) =>
    find(
      sources.filter(isTypeScript),
      new RegExp(
        [
          String.raw`\.only\s*\(`,
          String.raw`\b(?:test|it|describe|suite)\.(?:skip|todo)\s*\(`,
          String.raw`\.(?:skip|todo)\s*\(\s*\)`,
          String.raw`\b(?:only|skip|todo):\s*true\b`,
        ].join("|"),
      ),
    ),
  bad: [
    [source("src/core/a.test.ts", 'test.only("a", () => {});')],
    [source("src/core/a.test.ts", 'test.skip("a", () => {});')],
    [source("src/core/a.test.ts", 'test("a", (t) => t.skip());')],
    [source("src/core/a.test.ts", 'test("a", { skip: true }, () => {});')],
  ],
};

const noMuting: Rule = {
  sentence: "the compiler is never silenced",
  check: (sources) =>
    find(sources.filter(isTypeScript), /@ts-(?:ignore|nocheck|expect-error)/, commentsOf),
  bad: [[source("src/core/a.ts", `// @ts-${"ignore"} because\n`)]],
};

/** Only the comments: the rule above has its own words in a pattern. */
function commentsOf({ text, scan: { code } }: Source): string {
  return text.replace(/[^\n]/g, (character, at: number) => (code[at] === " " ? character : " "));
}

const FOLDERS = ["home", "Users", "root", "work"].join("|");

const noMachine: Rule = {
  sentence: "no file names a path of the machine that it was written on",
  check: (sources) => find(sources, new RegExp(`(?<![\\w.:/-])/(?:${FOLDERS})/\\w`), all),
  bad: [[source("docs/a.md", `run \`/${"home"}/me/headgate\``)]],
};

const moduleComments: Rule = {
  sentence: "every source but a test begins with a comment that says what it is",
  check: (sources) =>
    sources
      .filter((each) => isCode(each) && !isTest(each.path))
      .filter((each) => !/^(?:#![^\n]*\n)?(?:\/\*|\/\/)/.test(each.text))
      .map(({ path }) => path),
  bad: [[source("src/core/a.ts", "export const a = 1;\n// A.")]],
};

const PATTERN_FOLDERS = /\/(?:utils?|helpers?|managers?|handlers?|types|common|lib|shared|misc)\//;

const names: Rule = {
  sentence: "files are kebab-case (C: snake_case), and folders are nouns of the domain",
  check: (sources) =>
    sources
      .filter(isCode)
      .map(({ path }) => path)
      .filter((path) => {
        const kebab = /\/[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test(?:\.[a-z]+)?)?\.ts$/;
        const snake = /\/[a-z0-9]+(?:_[a-z0-9]+)*\.[ch]$/;
        return !(kebab.test(path) || snake.test(path)) || PATTERN_FOLDERS.test(path);
      }),
  bad: [
    [source("src/core/connectionId.ts", "")],
    [source("native/epoll-poller.c", "")],
    [source("src/utils/a.ts", "")],
  ],
};

export const styleRules: readonly Rule[] = [
  shortFiles,
  shortLines,
  littleC,
  noBarrels,
  nothingLeftBehind,
  everyTestRuns,
  noMuting,
  noMachine,
  moduleComments,
  names,
];
