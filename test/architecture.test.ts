/**
 * The layer table, the invariants and the bans of ARCHITECTURE.md, held against the sources. The
 * rules themselves stand in support/; here each is also shown to fail where it should.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { architectureRules, type Source, source } from "./support/rules.ts";
import { scan } from "./support/source-scan.ts";
import { styleRules } from "./support/style-rules.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const FOLDERS = ["src", "native", "test", "scripts", "bench", "examples", "docs"];
const READ = /\.(?:ts|c|h|js|css|html|md|ya?ml|json)$/;

function readSources(): Source[] {
  const inFolders = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, String(name))),
  ).filter((path) => !path.includes("/node_modules/"));
  const atRoot = readdirSync(root).filter((name) => name !== "package-lock.json");
  return [...inFolders, ...atRoot]
    .filter((path) => READ.test(path))
    .map((path) => source(path, readFileSync(join(root, path), "utf8")));
}

describe("the project", () => {
  const sources = readSources();

  test("is read by these tests at all", () => {
    const paths = sources.map(({ path }) => path);
    assert.ok(paths.includes("src/reactor/binding.ts"));
    assert.ok(paths.includes("test/architecture.test.ts"));
    assert.ok(paths.includes("package.json"));
  });

  for (const rule of [...architectureRules, ...styleRules]) {
    test(rule.sentence, () => assert.deepEqual(rule.check(sources), []));
  }
});

describe("a sample that breaks the rule is caught", () => {
  for (const rule of [...architectureRules, ...styleRules]) {
    test(rule.sentence, () => {
      assert.ok(rule.bad.length > 0);
      for (const sample of rule.bad) {
        assert.notDeepEqual(rule.check(sample), [], sample.map(({ text }) => text).join("\n"));
      }
    });
  }
});

describe("a sample that only looks like a breach is let through", () => {
  const samples: [string, Source][] = [
    ["a word in a comment", source("src/core/a.ts", "// process.env and console.log\n")],
    ["a word in a string", source("src/core/a.ts", '/* A. */ const a = "process.exit";')],
    ["an import in a string", source("src/core/a.ts", "// A.\nf('import \"../cli/a.ts\"');")],
    ["a type of the seam", source("src/gateway/a.ts", '// A.\nimport "../bus/bus.ts";')],
    ["a skip with its reason", source("src/core/a.test.ts", '// A.\nt.skip("no browser");')],
    ["a listening socket", source("src/gateway/a.ts", "// A.\nreactor.adopt(descriptor);")],
    ["a path of a route", source("src/core/a.ts", '// A.\nconst path = "/api/hubs/chat";')],
    ["an entry beside a list", source("src/index.ts", '// A.\nexport * from "./core/a.ts";')],
  ];
  for (const [name, sample] of samples) {
    test(name, () => {
      const broken = [...architectureRules, ...styleRules].flatMap((rule) => rule.check([sample]));
      assert.deepEqual(broken, []);
    });
  }
});

describe("the import scanner", () => {
  const specifiers = (text: string) => scan(text).imports.map(({ specifier }) => specifier);

  test("finds every form of import and export, over several lines too", () => {
    const text = `
      import a from "./a.ts";
      import { b, type C } from './b.ts';
      import * as d from "./d.ts";
      import "./e.ts";
      export { f } from "./f.ts";
      export * from "./g.ts";
      import type {
        H,
      } from "./h.ts";
      const i = await import("./i.ts");
      let j: import("./j.ts").J;
      const k = require("./k.ts");
    `;
    const found = specifiers(text).sort();
    assert.deepEqual(
      found,
      [..."abdefghijk"].map((name) => `./${name}.ts`),
    );
  });

  test("tells imports of types from imports that happen at run time", () => {
    const { imports } = scan('import type { A } from "./a.ts";\nimport { type B } from "./b.ts";');
    assert.deepEqual(imports, [
      { specifier: "./a.ts", line: 1, typeOnly: true },
      { specifier: "./b.ts", line: 2, typeOnly: false },
    ]);
  });

  test("reads no import out of comments, strings, templates and expressions", () => {
    const text = [
      '// import "./a.ts";',
      '/* import "./b.ts"; */',
      "f('import \"./c.ts\";');",
      `g(\`import "./d.ts"; \${h("}")} import "./e.ts";\`);`,
      "i(/import \"[^'`]./);",
    ].join("\n");
    assert.deepEqual(specifiers(text), []);
  });

  test("goes on reading code behind quotes within expressions, templates and divisions", () => {
    const text = [
      "const a = /[\"'`/]/.test(b) ? `'\"\\`$" + "{`$" + "{c}`}` : d / e;",
      "const f = (g + h) / 2; // \"'`",
      "const i = `$" + '{j({ k: { l } }, "`")} $' + "{m}`;",
      'await import("./n.ts");',
    ].join("\n");
    assert.deepEqual(specifiers(text), ["./n.ts"]);
  });

  test("reports a dynamic import of something computed", () => {
    assert.deepEqual(specifiers("await import(name);"), [undefined]);
  });

  test("keeps every line where it was", () => {
    const text = "`\n$" + "{a}\n`;\n/*\n*/ b; // c\n";
    const { code, bare } = scan(text);
    assert.equal(code.length, text.length);
    assert.equal(bare.length, text.length);
    assert.equal(bare, "`\n$" + "{a}\n`;\n  \n   b;     \n");
  });
});
