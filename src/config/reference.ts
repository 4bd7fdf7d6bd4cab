/**
 * The reference page, docs/configuration.md, made from the schema: a table for each mapping of
 * the configuration, with type, default and description of each key.
 */
import { child, knownKeys, range, type SchemaNode, schemaNodeAt } from "./schema-node.ts";

const INTRODUCTION = `# Configuration

<!-- Made from the schema by \`npm run docs\`; do not edit. -->

    hubs:
      chat:
        paths: [/chat, /chat/:room]
        service: http://127.0.0.1:3000/events

is enough to begin with: clients connect to port 8000, and services push at 127.0.0.1:8001.

Headgate reads one file, \`headgate.yaml\` unless \`--config\` names another: YAML 1.2 or JSON.
\`headgate init\` writes one to begin with, and \`headgate check\` tells every mistake in it at
once.

\`\${NAME}\` in a value is filled in from the environment, and \`\${file:path}\` from a file,
relative to the configuration's folder, without the newline at its end. \`$\${\` stands for a
plain \`\${\`. A variable or file that is missing is a mistake. Numbers may be filled in too.

YAML takes a colon at the end of a word, and brackets, for its own, so \`"echo:"\` and
\`"[::]:8000"\` stand in quotes.

An unknown key is an error. So is a setting whose feature is not built yet: it is refused by name.
`;

const SECTIONS: { title: string; path: (string | number)[]; note?: string }[] = [
  { title: "Top of the file", path: [] },
  { title: "`listen[]`", path: ["listen", 0] },
  { title: "`hubs.<name>`", path: ["hubs", "<name>"] },
  {
    title: "`hubs.<name>.service`",
    path: ["hubs", "<name>", "service"],
    note: "A URL, or a mapping, in which all but `url` is for `nats:` services ([NATS](nats.md)):",
  },
  { title: "`hubs.<name>.service.tls`", path: ["hubs", "<name>", "service", "tls"] },
  { title: "`hubs.<name>.auth`", path: ["hubs", "<name>", "auth"] },
  {
    title: "`admin`",
    path: ["admin"],
    note:
      "Without a key the admin listener must be on a loopback address, and takes no " +
      "requests from web pages.",
  },
  {
    title: "`limits`",
    path: ["limits"],
    note:
      "Those marked _h_ may also be set in a hub's own `limits`. Sizes are bytes, " +
      "times milliseconds.",
  },
];

export function referencePage(): string {
  const hubLimits = knownKeys(schemaNodeAt(["hubs", "<name>", "limits"]));
  const sections = SECTIONS.map(({ title, path, note }) => {
    const node = schemaNodeAt(path);
    const form = node?.anyOf?.find((option) => option.type === "object") ?? node;
    const marked = path[0] === "limits" ? hubLimits : [];
    const rows = knownKeys(form).map((key) =>
      row(key, child(form, key) ?? {}, marked, form?.required?.includes(key) ?? false),
    );
    const table = formatTable(["key", "type", "default", "meaning"], rows);
    return `\n## ${title}\n\n${note === undefined ? "" : `${note}\n\n`}${table}`;
  });
  return `${INTRODUCTION}${sections.join("")}`;
}

function row(key: string, node: SchemaNode, marked: string[], isRequired: boolean): string[] {
  const mark = marked.includes(key) ? " _h_" : "";
  const cells = [`\`${key}\`${mark}`, typeOf(node), defaultOf(node, isRequired), node.description];
  return cells.map((cell) => (cell ?? "").replaceAll("|", "\\|"));
}

/** In columns, as formatters of Markdown write it, so that they leave the page as it is. */
function formatTable(head: string[], rows: string[][]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)),
  );
  const rule = widths.map((width) => "-".repeat(width));
  return [head, rule, ...rows]
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | "))
    .map((line) => `| ${line} |\n`)
    .join("");
}

function typeOf(node: SchemaNode): string {
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(" or ");
  if (node.const !== undefined || node.enum !== undefined) {
    return (node.enum ?? [node.const]).map((word) => `\`${word}\``).join(", ");
  }
  switch (node.type) {
    case "integer":
      return range(node);
    case "array":
      return "list";
    case "object":
      return "mapping";
    case "boolean":
      return "true or false";
    default:
      return "text";
  }
}

function defaultOf(node: SchemaNode, isRequired: boolean): string {
  if (isRequired) return "required";
  if (node.default === undefined || node.type === "object") return "";
  if (Array.isArray(node.default)) {
    const hasMappings = node.default.some((item) => typeof item === "object");
    return hasMappings ? "one, with its defaults" : `\`[${node.default.join(", ")}]\``;
  }
  return `\`${node.default}\``;
}
