/**
 * Target: which hub a path belongs to, its parameters, and the query. The oracles know languages
 * of paths instead of an order of patterns, and undo percent-encoding byte by byte.
 */
import assert from "node:assert/strict";
import { ambiguities, type PathPattern, parsePathPattern } from "../../src/config/path-pattern.ts";
import { PathRouter } from "../../src/gateway/paths.ts";
import { parseQuery } from "../../src/gateway/query.ts";
import type { Random } from "./random.ts";
import { withoutPieces } from "./shrink.ts";
import { count, type Target } from "./target.ts";

interface PathsCase {
  patterns: string[];
  path: string;
  query: string;
}

const SEGMENTS = ["a", "b", "chat", ":x", ":y", ":__proto__", "%61", "a%2Fb", "%C3%A9", "..", ""];
const ODD_SEGMENTS = ["%", "%ff", "%c3", "%e0%80%80", "%2", "%ZZ", ":", ":1", "A", "a.b", "%00"];
const WORDS = ["a", "b", "=", "=", "&", "&", "+", "%20", "%C3%A9", "%ff", "%", "%4", "__proto__"];
const ODD_WORDS = ["?", ";", "%EF%BB%BF", "%F0%9F%98%80", "%ED%A0%80", "%3D", "%26", "[]", "/"];
/** No literal of the patterns. */
const OTHER = "other";

const tally = new Map<string, number>();

export const paths: Target<PathsCase> = {
  tally,
  shortRuns: 1000,

  generate(random) {
    const patterns = random.list(random.between(1, 5), () => pathOf(random, false));
    const near = random.pick(patterns).replace(/:[a-z_]+/g, () => random.pick(SEGMENTS));
    const path = random.chance(0.6) ? near : pathOf(random, true);
    const word = () => random.pick(random.chance(0.8) ? WORDS : ODD_WORDS);
    return { patterns, path, query: random.list(random.below(12), word).join("") };
  },

  check({ patterns, path, query }) {
    const taken = unambiguous(sound(patterns));
    const router = new PathRouter();
    for (const [hub, pattern] of taken.entries()) router.add(pattern, hub);
    const match = router.match(path);
    const expected = matchNaively(taken, path);
    count(tally, match === undefined ? "no hub" : "a hub");
    assert.equal(match?.hub, expected?.hub);
    assert.deepEqual(Object.entries(match?.params ?? {}), expected?.params ?? []);
    const entries = Object.entries(parseQuery(query));
    assert.deepEqual(new Map(entries), queryNaively(query));
  },

  *smaller(each) {
    for (const patterns of withoutPieces(each.patterns)) yield { ...each, patterns };
    for (const path of withoutPieces(each.path)) yield { ...each, path };
    for (const query of withoutPieces(each.query)) yield { ...each, query };
  },
};

function pathOf(random: Random, odd: boolean): string {
  const segment = () => random.pick(random.chance(odd ? 0.3 : 0.05) ? ODD_SEGMENTS : SEGMENTS);
  return `/${random.list(random.pick([0, 1, 1, 2, 3, 4]), segment).join("/")}`;
}

/** Those that are patterns. */
function sound(patterns: readonly string[]): string[] {
  return patterns.filter((pattern) => {
    const parsed = parsePathPattern(pattern);
    if (typeof parsed !== "string") {
      assert.equal(`/${parsed.join("/")}`, pattern);
      return true;
    }
    count(tally, "no pattern");
    assert.notEqual(parsed, "");
    return false;
  });
}

/** Those that may stand beside each other. */
function unambiguous(patterns: readonly string[]): string[] {
  const clashes = ambiguities(patterns.map((each) => parsePathPattern(each) as PathPattern));
  for (const [index, pattern] of patterns.entries()) {
    const first = patterns.slice(0, index).findIndex((it) => isAmbiguousNaively(pattern, it));
    assert.equal(clashes[index], first < 0 ? undefined : first, `${pattern} in ${patterns}`);
  }
  const taken: string[] = [];
  for (const pattern of patterns) {
    if (taken.some((other) => isAmbiguousNaively(pattern, other))) count(tally, "ambiguous");
    else taken.push(pattern);
  }
  return taken;
}

/** Neither has all the paths of the other, or both have the same, and some path is of both. */
function isAmbiguousNaively(a: string, b: string): boolean {
  const all = languageOf(a, b);
  const [ofA, ofB] = [a, b].map((pattern) => {
    return new Set(all.filter((path) => paramsOf(pattern, path) !== undefined));
  }) as [Set<string>, Set<string>];
  const common = all.filter((path) => ofA.has(path) && ofB.has(path)).length;
  if (common === 0) return false;
  return (common < ofA.size && common < ofB.size) || ofA.size === ofB.size;
}

/** Paths that tell any two patterns apart that these two could be. */
function languageOf(a: string, b: string): string[] {
  const [ofA, ofB] = [a.split("/"), b.split("/")];
  let all = [""];
  for (let index = 1; index < Math.max(ofA.length, ofB.length); index++) {
    const segments = new Set([OTHER, ofA[index] ?? OTHER, ofB[index] ?? OTHER]);
    const literals = [...segments].filter((segment) => !segment.startsWith(":"));
    const longer = all.flatMap((path) => literals.map((segment) => `${path}/${segment}`));
    all = ofA.length === ofB.length ? longer : [...all, ...longer];
  }
  return [...all, "/"];
}

type Params = [name: string, value: string][];

function paramsOf(pattern: string, path: string): Params | undefined {
  const segments = path.split("/");
  const expected = pattern.split("/");
  if (segments.length !== expected.length) return undefined;
  const params: Params = [];
  for (const [index, segment] of segments.entries()) {
    const each = expected[index] as string;
    if (!each.startsWith(":")) {
      if (each !== segment) return undefined;
      continue;
    }
    const value = /%(?![0-9a-f]{2})/i.test(segment) ? undefined : decode(segment, true);
    if (value === undefined || value === "") return undefined;
    params.push([each.slice(1), value]);
  }
  return params;
}

/** The one whose paths are all paths of the others that match. */
function matchNaively(
  patterns: readonly string[],
  path: string,
): { hub: number; params: Params } | undefined {
  const matching = [...patterns.entries()].filter(([, it]) => paramsOf(it, path) !== undefined);
  const narrowest = matching.filter(([, it]) =>
    matching.every(([, other]) =>
      other.split("/").every((segment, index) => {
        return segment.startsWith(":") || segment === it.split("/")[index];
      }),
    ),
  );
  const [found] = narrowest;
  assert(narrowest.length <= 1 && (found !== undefined || matching.length === 0));
  if (found === undefined) return undefined;
  return { hub: found[0], params: paramsOf(found[1], path) as Params };
}

function queryNaively(query: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const part of query.split("&").filter((each) => each !== "")) {
    const mark = part.includes("=") ? part.indexOf("=") : part.length;
    const [name = "", value = ""] = [part.slice(0, mark), part.slice(mark + 1)].map((each) =>
      decode(each.replaceAll("+", " "), false),
    );
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return values;
}

/** Undefined for what is no UTF-8, where it must be. */
function decode(text: string, fatal: boolean): string | undefined {
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const [, digits] = /^%([0-9a-f]{2})/i.exec(text.slice(index, index + 3)) ?? [];
    bytes.push(digits === undefined ? text.charCodeAt(index) : Number.parseInt(digits, 16));
    if (digits !== undefined) index += 2;
  }
  try {
    return new TextDecoder("utf-8", { fatal, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}
