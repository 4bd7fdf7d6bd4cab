/**
 * The schema as a tree that can be walked by key: which keys a place knows, and what a value
 * there may be, in words. It is the JSON Schema that editors get, and judges nothing.
 */
import { z } from "zod";
import type { KeyPath } from "./problem.ts";
import { configurationSchema } from "./schema.ts";

/** The part of JSON Schema that the configuration's schema comes out as. */
export interface SchemaNode {
  type?: "object" | "array" | "string" | "integer" | "boolean";
  description?: string;
  default?: unknown;
  examples?: unknown[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: SchemaNode[];
  minimum?: number;
  maximum?: number;
  properties?: Record<string, SchemaNode>;
  required?: string[];
  additionalProperties?: SchemaNode | false;
  items?: SchemaNode;
}

let root: SchemaNode | undefined;

export function schemaRoot(): SchemaNode {
  root ??= z.toJSONSchema(configurationSchema, { io: "input" }) as SchemaNode;
  return root;
}

/** The node for a path of the configuration, or undefined where the schema knows none. */
export function schemaNodeAt(path: KeyPath): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>((node, step) => child(node, step), schemaRoot());
}

export function child(node: SchemaNode | undefined, step: string | number): SchemaNode | undefined {
  for (const option of node?.anyOf ?? [node]) {
    if (option === undefined) continue;
    if (typeof step === "number") {
      if (option.items !== undefined) return option.items;
    } else if (option.properties !== undefined && Object.hasOwn(option.properties, step)) {
      return option.properties[step];
    } else if (option.additionalProperties) {
      return option.additionalProperties;
    }
  }
  return undefined;
}

/** The keys that a mapping at this node may have; none where it takes any. */
export function knownKeys(node: SchemaNode | undefined): string[] {
  const options = node?.anyOf ?? (node === undefined ? [] : [node]);
  return options.flatMap((option) => Object.keys(option.properties ?? {}));
}

/** Whether the node takes this type, in one of its forms at least. */
export function takes(node: SchemaNode | undefined, type: SchemaNode["type"]): boolean {
  return (node?.anyOf ?? [node]).some((option) => option?.type === type);
}

/** The words behind "must be". */
export function expectation(node: SchemaNode): string {
  if (node.anyOf !== undefined) return alternatives(node.anyOf.map(expectation));
  if (node.const !== undefined) return String(node.const);
  if (node.enum !== undefined) return alternatives(node.enum.map(String));
  switch (node.type) {
    case "integer":
      return `a whole number ${range(node)}`;
    case "boolean":
      return "true or false";
    case "array":
      return `a list, such as [ ${example(node.items)} ]`;
    case "object": {
      // What it cannot be without, or else what there is, and of that not all.
      const keys = node.required ?? knownKeys(node).slice(0, 3);
      return keys.length === 0 ? "a mapping" : `a mapping with ${keys.join(", ")}`;
    }
    default:
      return node.examples === undefined ? "text" : `text such as ${node.examples[0]}`;
  }
}

/** `from 1 to 256`, or `from 1` where the numbers themselves end it. */
export function range(node: SchemaNode): string {
  const upper = node.maximum === Number.MAX_SAFE_INTEGER ? "" : ` to ${node.maximum}`;
  return `from ${node.minimum}${upper}`;
}

/** Every path at which the schema knows `key`, such as `limits` and `hubs.<name>.limits`. */
export function parentsOf(key: string, node = schemaRoot(), path = ""): string[] {
  const found: string[] = [];
  for (const option of node.anyOf ?? [node]) {
    for (const [name, next] of Object.entries(option.properties ?? {})) {
      if (name === key) found.push(path === "" ? "the top of the file" : path);
      found.push(...parentsOf(key, next, path === "" ? name : `${path}.${name}`));
    }
    if (option.additionalProperties) {
      found.push(...parentsOf(key, option.additionalProperties, `${path}.<name>`));
    }
    if (option.items !== undefined) found.push(...parentsOf(key, option.items, `${path}[]`));
  }
  return found;
}

function example(items: SchemaNode | undefined): string {
  if (items?.const !== undefined) return String(items.const);
  return items?.type === "object" ? "{ … }" : String(items?.examples?.[0] ?? "…");
}

function alternatives(words: string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
