/**
 * The documents against the code, where a program can tell: reasons and their codes, snippets,
 * the example configuration, links. Whether they read well is for people.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseConfiguration } from "../src/config/load.ts";
import { disconnects } from "../src/gateway/disconnect.ts";
import { signEvent } from "../src/upstreams/cloudevents/signature.ts";
import { encodeToken, partitionOf } from "../src/upstreams/nats/subjects.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The code of a fenced block of this language that holds `word`. */
function snippet(path: string, language: string, word: string): string {
  const blocks = read(path).matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"));
  const found = [...blocks].map(([, code = ""]) => code).find((code) => code.includes(word));
  assert.ok(found !== undefined, `${path} has no ${language} block with ${word}`);
  return found;
}

test("docs/operations.md has each way a connection ends, with its code and advice", () => {
  const rows = read("docs/operations.md").matchAll(/^\| `([a-z0-9-]+)` +\| (\d+) +\| (yes|no) /gm);
  const documented = [...rows].map(([, name, code, back]) => `${name} ${code} ${back}`);
  const existing = Object.values(disconnects).map(
    ({ name, code, reconnect }) => `${name} ${code} ${reconnect ? "yes" : "no"}`,
  );
  assert.deepEqual(documented, existing);
});

test("the snippet of docs/services.md accepts what is signed, and nothing else", async () => {
  const source = snippet("docs/services.md", "js", "isSigned");
  const { isSigned } = (await import(`data:text/javascript,${encodeURIComponent(source)}`)) as {
    isSigned(headers: Record<string, string>, body: Uint8Array, keys: string[]): boolean;
  };
  const body = Buffer.from("hello");
  const now = Math.floor(Date.now() / 1000);
  const signedAt = (seconds: number) => {
    const event = { id: "1", type: "t", source: "/s", userId: "Zo%C3%AB", connectionState: "" };
    const headers = { "ce-id": "1", "ce-type": "t", "ce-source": "/s", "ce-userid": "Zo%C3%AB" };
    const signature = signEvent("key", seconds, { ...event, body });
    return { ...headers, "headgate-signature": signature };
  };
  const headers = signedAt(now);
  assert.equal(isSigned(headers, body, ["key"]), true);
  assert.equal(isSigned(headers, body, ["old", "key"]), true);
  assert.equal(isSigned(headers, body, ["other"]), false);
  assert.equal(isSigned(headers, Buffer.from("hullo"), ["key"]), false);
  assert.equal(isSigned({ ...headers, "ce-userid": "Zoë" }, body, ["key"]), false);
  assert.equal(isSigned({ ...headers, "ce-connectionstate": "x" }, body, ["key"]), false);
  assert.equal(isSigned(signedAt(now - 301), body, ["key"]), false);
  assert.equal(isSigned({}, body, ["key"]), false);
  // A batch has no attributes in its headers, and is checked alike.
  const none = { id: "", type: "", source: "", userId: "", connectionState: "" };
  const batch = { "headgate-signature": signEvent("key", now, { ...none, body }) };
  assert.equal(isSigned(batch, body, ["key"]), true);
  assert.equal(isSigned({ ...batch, "ce-id": "1" }, body, ["key"]), false);
});

test("docs/nats.md finds a connection's partition, and writes a token, as the code does", () => {
  const page = read("docs/nats.md");
  const source = snippet("docs/nats.md", "js", "partitionOf");
  const documented: typeof partitionOf = new Function(`${source}\nreturn partitionOf;`)();
  for (let index = 0; index < 100; index += 1) {
    const id = `Xb0pFi8Yx2U.${index}`;
    assert.equal(documented(id), partitionOf(id));
  }
  assert.ok(page.includes(`\`Zoë\` is \`${encodeToken("Zoë")}\``));
  const { service } = parseConfiguration(snippet("docs/nats.md", "yaml", "hubs:"), "a.yaml", {})
    .hubs.chat as { service: { kind: string } };
  assert.equal(service.kind, "nats");
});

test("the configuration in README.md has no mistakes", () => {
  const { hubs } = parseConfiguration(snippet("README.md", "yaml", "hubs:"), "headgate.yaml", {});
  assert.deepEqual(Object.keys(hubs), ["chat"]);
});

test("every link from one document to another leads to a file, and to a heading in it", () => {
  const inDocs = readdirSync(join(root, "docs")).map((name) => join("docs", name));
  const examples = readdirSync(join(root, "examples"));
  const ofExamples = examples.map((name) => join("examples", name, "README.md"));
  const paths = [...readdirSync(root), ...inDocs, ...ofExamples];
  const broken: string[] = [];
  for (const path of paths.filter((each) => each.endsWith(".md"))) {
    for (const [, target = ""] of read(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = "", anchor] = target.split("#");
      const linked = file === "" ? path : join(dirname(path), file);
      const leads = existsSync(join(root, linked));
      if (!leads || (anchor !== undefined && !anchorsOf(linked).includes(anchor))) {
        broken.push(`${path}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

test("every test that docs/delivery.md names stands in the file that it links", () => {
  const named = [...read("docs/delivery.md").matchAll(/\["([^"\]]+)"\]\(\.\.\/([^)]+)\)/g)];
  assert.ok(named.length >= 25, "the table is read at all");
  const missing = named
    .filter(([, title = "", path = ""]) => !read(path).includes(`"${title}"`))
    .map(([, title, path]) => `${path}: ${title}`);
  assert.deepEqual(missing, []);
});

/** What a heading is called in a link. */
function anchorsOf(path: string): string[] {
  const headings = read(path).matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test("every file that ARCHITECTURE.md names by its path is there", () => {
  const named = read("ARCHITECTURE.md").matchAll(
    /`((?:src|native|test|scripts|bench)\/[\w./-]+)`/g,
  );
  const missing = [...named].map(([, path = ""]) => path).filter((path) => !exists(path));
  assert.deepEqual(missing, []);
});

function exists(path: string): boolean {
  return existsSync(join(root, path));
}
