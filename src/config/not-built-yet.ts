/**
 * Settings whose feature is not there yet. They are refused by name and never accepted and
 * ignored; when a feature is built, its row goes and its key comes into the schema.
 */
import { unbuiltGatewayLimitShape, unbuiltHubLimitShape } from "./limits.ts";
import type { KeyPath, Mistake } from "./problem.ts";

interface Row {
  /** `*` stands for any key or index. */
  path: string;
  /** Which values are refused; others are for the schema to judge. */
  refused(value: unknown): boolean;
  sentence: string;
}

const any = () => true;
const oneOf =
  (...values: string[]) =>
  (value: unknown) =>
    typeof value === "string" && values.includes(value);
const schemes =
  (...known: string[]) =>
  (value: unknown) =>
    typeof value === "string" && known.some((scheme) => value.toLowerCase().startsWith(scheme));

const linksSentence = "links: is not built yet; use link: within your network, or link+unix:";
const isLinks = schemes("links:");

const rows: readonly Row[] = [
  {
    path: "listen.*.tls",
    refused: any,
    sentence: "tls is not built yet; terminate TLS in a proxy in front, or remove it",
  },
  {
    path: "listen.*.serve.*",
    refused: oneOf("api"),
    sentence: "api on this listener is not built yet; push through the admin one, or remove it",
  },
  {
    path: "publicUrls",
    refused: any,
    sentence: "publicUrls is not built yet; only tokens will need it, so remove it",
  },
  {
    path: "trustedProxies",
    refused: any,
    sentence:
      "trustedProxies is not built yet; remove it, and list the origins of each hub " +
      "that is behind a proxy",
  },
  {
    path: "hubs.*.auth.jwt",
    refused: any,
    sentence: "jwt is not built yet; let the service check tokens (auth.connect), or remove it",
  },
  {
    path: "hubs.*.dialect",
    refused: oneOf("azure", "aws", "websocket-over-http"),
    sentence: "this dialect is not built yet; set it to cloudevents, or remove it",
  },
  { path: "hubs.*.service", refused: isLinks, sentence: linksSentence },
  { path: "hubs.*.service.url", refused: isLinks, sentence: linksSentence },
  {
    path: "profile",
    refused: any,
    sentence: "profile is not built yet; start Node with --inspect instead, or remove it",
  },
  {
    path: "cluster",
    refused: any,
    sentence: "cluster is not built yet; run one machine, or remove it",
  },
  ...limitRows("limits", { ...unbuiltGatewayLimitShape, ...unbuiltHubLimitShape }),
  ...limitRows("hubs.*.limits", unbuiltHubLimitShape),
];

/** Paths of the settings that are refused while they are not built, for the tests. */
export const unbuiltPaths: readonly string[] = rows.map((row) => row.path);

/** A mistake for each setting in `value` that is not built yet, at its key. */
export function unbuiltSettings(value: unknown): Mistake[] {
  const mistakes: Mistake[] = [];
  for (const row of rows) {
    for (const path of pathsOf(value, row.path.split("."), row.refused)) {
      const part = typeof path.at(-1) === "number" ? "value" : "key";
      mistakes.push({ path, part, message: row.sentence });
    }
  }
  return mistakes;
}

function limitRows(
  parent: string,
  shape: Record<string, { parse(value: unknown): unknown }>,
): Row[] {
  return Object.entries(shape).map(([key, schema]) => {
    const fallback = schema.parse(undefined);
    return {
      path: `${parent}.${key}`,
      // Another policy is refused by name too, but a limit of "many" is for the schema.
      refused: (value) => typeof value === typeof fallback && value !== fallback,
      sentence: `${key} is not built yet; leave it at ${fallback}, or remove it`,
    };
  });
}

function* pathsOf(
  value: unknown,
  steps: readonly string[],
  refused: (value: unknown) => boolean,
  path: KeyPath = [],
): Generator<KeyPath> {
  const [step, ...rest] = steps;
  if (step === undefined) {
    if (refused(value)) yield path;
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  for (const [key, child] of entries) {
    if (step === "*" || step === key) yield* pathsOf(child, rest, refused, [...path, key]);
  }
}
