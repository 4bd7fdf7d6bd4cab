import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { editorSchema } from "./editor-schema.ts";
import { unbuiltPaths } from "./not-built-yet.ts";
import { referencePage } from "./reference.ts";
import { knownKeys, type SchemaNode, schemaNodeAt, schemaRoot } from "./schema-node.ts";

/** Every key with its path, in mappings, lists and alternatives. */
function* keysOf(node: SchemaNode, path = ""): Generator<[path: string, node: SchemaNode]> {
  for (const option of node.anyOf ?? [node]) {
    for (const [key, next] of Object.entries(option.properties ?? {})) {
      yield [`${path}${key}`, next];
      yield* keysOf(next, `${path}${key}.`);
    }
    if (option.additionalProperties) yield* keysOf(option.additionalProperties, `${path}*.`);
    if (option.items !== undefined) yield* keysOf(option.items, `${path}*.`);
  }
}

test("docs/configuration.md is what `npm run docs` makes of the schema", () => {
  // From dist/src/config to the package's root.
  const page = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");
  assert.ok(page === referencePage(), "it is out of date: run `npm run build && npm run docs`");
});

test("every key is described, and stands on the reference page", () => {
  const page = referencePage();
  const keys = [...keysOf(schemaRoot())];
  assert.ok(keys.length > 80, `${keys.length} keys`);
  for (const [path, node] of keys) {
    assert.match(node.description ?? "", /^.+\.$/s, `${path} is not described`);
    assert.ok(page.includes(`| \`${path.split(".").at(-1)}\``), `${path} is not on the page`);
  }
});

test("the page tells a limit's range, default and breach, and where it may be set", () => {
  const page = referencePage().replace(/ +/g, " ");
  assert.ok(
    page.includes(
      "| `messageBytesMax` _h_ | from 1024 to 67108864 | `131072` | " +
        "Bytes of one message of a client. On breach: close 1009. |",
    ),
  );
  assert.ok(page.includes("| `pingIntervalMs` | from 0 to 2147483647 | `25000` |"));
});

test("a feature that is not built is in the schema only by the value that is off", () => {
  for (const path of unbuiltPaths) {
    const steps = path.split(".");
    const parent = steps.slice(0, -1).map((step) => (step === "*" ? "x" : step));
    if (steps[0] === "listen") parent.splice(1, 1, "0");
    const node = schemaNodeAt(parent.map((step) => (step === "0" ? 0 : step)));
    const key = steps.at(-1) ?? "";
    if (key === "*" || !knownKeys(node).includes(key)) continue;
    const known = schemaNodeAt([...parent, key]);
    const isService = path.startsWith("hubs.*.service");
    assert.ok(isService || known?.const !== undefined, `${path} takes more than one value`);
  }
});

test("the editor's schema describes the file, and lets numbers be filled in", () => {
  const schema = editorSchema() as unknown as {
    $schema: string;
    additionalProperties: boolean;
    required: string[];
    properties: Record<string, { properties: Record<string, Record<string, unknown>> }>;
  };
  assert.equal(schema.$schema, "http://json-schema.org/draft-07/schema#");
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(schema.required, ["hubs"]);
  const ping = schema.properties.limits?.properties.pingIntervalMs;
  assert.deepEqual(ping?.type, ["integer", "string"]);
  assert.equal(ping?.default, 25000);
  assert.equal(ping?.maximum, 2 ** 31 - 1);
  const pattern = new RegExp(String(ping?.pattern));
  assert.ok(pattern.test("$" + "{PING}"));
  assert.ok(!pattern.test("25000"));
});
