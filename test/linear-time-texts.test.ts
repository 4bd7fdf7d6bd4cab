import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "../src/admin/outcome.ts";
import type { Route } from "../src/admin/route.ts";
import { Router } from "../src/admin/router.ts";
import { configurationOf, parseConfiguration } from "../src/config/load.ts";
import { nearest } from "../src/config/nearest.ts";
import { ConfigurationError } from "../src/config/problem.ts";
import { decodeAttribute, encodeAttribute } from "../src/upstreams/cloudevents/attribute.ts";
import { assertLinear, GROWTH_MAX, type Work } from "./support/growth.ts";

function linear(group: string, works: readonly Work[]): void {
  describe(`${group} takes at most ${GROWTH_MAX} times as long for twice as much:`, () => {
    for (const work of works) test(work.name, () => assertLinear(work));
  });
}

function lines(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => `${line(index)}\n`).join("");
}

function loading(text: string): () => void {
  const environment = { NAME: "value" };
  return () => void parseConfiguration(text, "headgate.yaml", environment);
}

/** A text that is refused, with so many mistakes at the least. */
function refusing(text: string, mistakes = 1): () => void {
  return () => {
    assert.throws(
      () => parseConfiguration(text, "headgate.yaml", {}),
      (error) => error instanceof ConfigurationError && error.problems.length >= mistakes,
    );
  };
}

const hub = (index: number) => `  hub${index}: { service: 'http://a.example/${index}' }`;
const variables = ["$", "{NAME}", "$$", "{"].join("");
const HUB = "hubs: { main: { service: 'echo:' } }\n";

linear("reading a configuration", [
  {
    name: "with many hubs",
    size: 80,
    prepare: (size) => loading(`hubs:\n${lines(size, hub)}`),
  },
  {
    name: "with many hubs, as JSON",
    size: 80,
    prepare: (size) => {
      const hubs = Array.from({ length: size }, (_, index) => [
        `hub${index}`,
        { service: "echo:" },
      ]);
      return loading(JSON.stringify({ hubs: Object.fromEntries(hubs) }));
    },
  },
  {
    name: "with many hubs, as a value",
    size: 150,
    prepare: (size) => {
      const hubs = Array.from({ length: size }, (_, index) => [
        `hub${index}`,
        { service: "echo:" },
      ]);
      const input = { hubs: Object.fromEntries(hubs) };
      return () => void configurationOf(input as never);
    },
  },
  {
    name: "with many paths",
    size: 200,
    prepare: (size) =>
      loading(
        `hubs:\n  a:\n    service: 'echo:'\n    paths:\n${lines(size, (i) => `    - /p/${i}`)}`,
      ),
  },
  {
    name: "with many patterns that overlap and do not clash",
    size: 100,
    prepare: (size) => {
      const paths = lines(size, (i) => `    - /:a/${i}\n    - /${i}/:b/c\n    - /${i}/x/c`);
      return loading(`hubs:\n  a:\n    service: 'echo:'\n    paths:\n${paths}`);
    },
  },
  {
    name: "with many addresses",
    size: 150,
    prepare: (size) => {
      const addresses = lines(size, (i) => `  - { address: '127.0.0.${i % 250}:${1000 + i}' }`);
      return loading(`${HUB}listen:\n${addresses}`);
    },
  },
  {
    name: "with many comments",
    size: 2000,
    prepare: (size) => loading(`${HUB}${lines(size, (index) => `# ${index}`)}`),
  },
  {
    name: "with many origins",
    size: 250,
    prepare: (size) => {
      const origins = lines(size, (i) => `    - https://a${i}.example`);
      return loading(`hubs:\n  a:\n    service: 'echo:'\n    origins:\n${origins}`);
    },
  },
  {
    name: "with many variables",
    size: 250,
    prepare: (size) => {
      const origins = lines(size, (i) => `    - https://\${NAME}${i}.example`);
      return loading(`hubs:\n  a:\n    service: 'echo:'\n    origins:\n${origins}`);
    },
  },
  {
    name: "with many variables and escapes in one text",
    size: 2000,
    prepare: (size) =>
      loading(`hubs: { a: { service: 'http://a.example/?${variables.repeat(size)}' } }`),
  },
  {
    name: "with one long text",
    size: 10_000,
    prepare: (size) => loading(`hubs: { a: { service: 'http://a.example/${"a".repeat(size)}' } }`),
  },
  {
    name: "with many aliases",
    size: 300,
    prepare: (size) => {
      const hubs = lines(size, (index) => `  hub${index}: *it`);
      return loading(`hubs:\n  first: &it { service: 'echo:' }\n${hubs}`);
    },
  },
]);

linear("refusing a configuration", [
  {
    name: "with many unknown keys, each of which is told its nearest",
    size: 40,
    prepare: (size) =>
      refusing(`${HUB}limits:\n${lines(size, (i) => `  pingInterval${i}: 1`)}`, size),
  },
  {
    name: "with many unknown keys in many hubs",
    size: 30,
    prepare: (size) =>
      refusing(`hubs:\n${lines(size, (i) => `  h${i}: { servce: 'echo:', pathz: [] }`)}`, size),
  },
  {
    name: "with one long unknown key",
    size: 5000,
    prepare: (size) => refusing(`${HUB}${"ab".repeat(size)}: 1\n`),
  },
  {
    name: "with a key that is set many times",
    size: 200,
    prepare: (size) => refusing(`${HUB}workers: 1\n${lines(size, () => "workers: 1")}`, size),
  },
  {
    name: "with many paths that are the same",
    size: 150,
    prepare: (size) =>
      refusing(
        `hubs:\n${lines(size, (i) => `  h${i}: { service: 'echo:', paths: [/a] }`)}`,
        size - 1,
      ),
  },
  {
    name: "with many addresses that are the same",
    size: 150,
    prepare: (size) =>
      refusing(`${HUB}listen:\n${lines(size, () => "  - { address: ':9' }")}`, size - 1),
  },
  {
    name: "with many variables that are not set",
    size: 200,
    prepare: (size) => {
      const origins = lines(size, (i) => `    - \${MISSING_${i}}`);
      return refusing(`hubs:\n  a:\n    service: 'echo:'\n    origins:\n${origins}`, size);
    },
  },
  {
    name: "with many braces that are not closed",
    size: 1000,
    prepare: (size) => refusing(`${HUB}name: "${"${".repeat(size)}"\n`),
  },
  {
    name: "with many aliases that multiply",
    size: 100,
    prepare: (size) => {
      const items = `[ ${"*a, ".repeat(size)} ]`;
      return refusing(`x: &a [ ${"1, ".repeat(100)} ]\ny: ${items}\n${HUB}`);
    },
  },
  {
    name: "with many aliases of no anchor",
    size: 200,
    prepare: (size) => refusing(`${HUB}x:\n${lines(size, (i) => `  - *a${i}`)}`),
  },
  {
    name: "with many lines that are no YAML",
    size: 200,
    prepare: (size) => refusing(`${HUB}${lines(size, () => "a: b: c")}`),
  },
  {
    name: "nested deeply by indentation",
    size: 100,
    prepare: (size) => refusing(`${HUB}${lines(size, (i) => `${" ".repeat(i % 300)}a:`)}`),
  },
  {
    name: "nested deeply by brackets",
    size: 250,
    prepare: (size) => refusing(`${HUB}x: ${"[".repeat(size)}${"]".repeat(size)}\n`),
  },
  {
    name: "with many brackets that are not closed",
    size: 250,
    prepare: (size) => refusing(`${HUB}x: ${"[".repeat(size)}\n`),
  },
]);

test("the nearest word is found in time that grows with the word", () => {
  const known = ["service", "paths", "origins", "signingKeys"];
  const prepare = (size: number) => {
    const word = "service".repeat(size);
    return () => assert.equal(nearest(word, known), undefined);
  };
  assertLinear({ name: "nearest", size: 3000, prepare });
});

function finding(path: string): () => void {
  const paths = ["/api/hubs/{hub}/users/{user}/:send", "/api/hubs/{hub}/groups/{group}/:send"];
  const routes = paths.map((each) => ({ method: "POST", path: each }) as Route);
  const router = new Router(routes);
  return () => void (router.find("POST", path) instanceof Fault);
}

linear("reading names", [
  {
    name: "one long name in a path",
    size: 5000,
    prepare: (size) => finding(`/api/hubs/chat/users/${"a".repeat(size)}/:send`),
  },
  {
    name: "one long name, percent-encoded",
    size: 3000,
    prepare: (size) => finding(`/api/hubs/chat/users/${"%C3%A9".repeat(size)}/:send`),
  },
  {
    name: "a path with many slashes, which there is not",
    size: 3000,
    prepare: (size) => finding(`/api/hubs${"/a".repeat(size)}`),
  },
  {
    name: "a path with many signs of Amazon's, which there is not",
    size: 3000,
    prepare: (size) => finding("/@connections".repeat(size)),
  },
  {
    name: "a name that must be encoded for a header",
    size: 500,
    prepare: (size) => () => void encodeAttribute("é%".repeat(size)),
  },
  {
    name: "a name that was encoded for a header",
    size: 500,
    prepare: (size) => () => void decodeAttribute(`"${"%C3%A9\\%".repeat(size)}"`),
  },
]);
