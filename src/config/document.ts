/**
 * A configuration file as a plain value that remembers where each of its keys and values
 * stands. It knows YAML and the substitution of variables, and nothing of what keys mean.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import { ConfigurationError, type KeyPath, type Mistake, type Problem } from "./problem.ts";
import { type Sources, substitute } from "./substitution.ts";

export interface Position {
  line: number;
  column: number;
}

export interface ConfigurationDocument {
  /** Empty where the value did not come from a file. */
  file: string;
  /** Mappings have no prototype, so that every key is the file's own. */
  value: unknown;
  mistakes: (Mistake & { position: Position })[];
  /** The paths, by `pathId`, of the texts in which something was filled in. */
  filled: ReadonlySet<string>;
  /** Of a key or value that is not there: its nearest parent's. */
  position(path: KeyPath, part: "key" | "value"): Position;
}

const TEXT_CHARACTERS_MAX = 2 ** 20;
/** Aliases may multiply a small file into an endless one. */
const NODES_MAX = 100_000;
const DEPTH_MAX = 32;

/**
 * Noncharacters stand in for the braces of `${…}` while YAML is parsed: it would otherwise take
 * them for a mapping in `[ ${KEY} ]`. One character for one keeps every position right. A brace
 * behind a quote closes something else, as in `{ name: '$${' }`.
 */
const OPEN = "\uFDD0";
const CLOSE = "\uFDD1";

export function pathId(path: KeyPath): string {
  return JSON.stringify(path);
}

/** Throws a ConfigurationError for what is not YAML at all. */
export function readDocument(text: string, file: string, sources: Sources): ConfigurationDocument {
  if (text.length > TEXT_CHARACTERS_MAX) {
    const message = `longer than ${TEXT_CHARACTERS_MAX} characters; is it a configuration?`;
    throw new ConfigurationError([{ file, line: 1, column: 1, path: "", message }]);
  }
  const lines = new Lines(text);
  const masked = text.replaceAll(/\$\{([^{}'"\n]*)\}/g, `$$${OPEN}$1${CLOSE}`);
  const document = parseDocument(masked, {
    prettyErrors: false,
    // Duplicates are reported by the reader below, which knows their paths.
    uniqueKeys: false,
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const problems = faults.map((fault): Problem => {
      const position = lines.positionAt(fault.pos[0]);
      return { file, ...position, path: "", message: syntaxSentence(fault) };
    });
    // Each of several brackets that are not closed is missed at the same place.
    const unique = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
    throw new ConfigurationError([...unique.values()]);
  }
  return new Reader(document, lines, file, sources);
}

/** A value that did not come from a file, and so has no positions. */
export function documentOf(value: unknown): ConfigurationDocument {
  const nowhere = { line: 0, column: 0 };
  return { file: "", value, mistakes: [], filled: new Set(), position: () => nowhere };
}

function syntaxSentence(fault: { code: string; message: string }): string {
  const message = unmask(fault.message).replace(/; please use .*$/, "");
  if (fault.code === "BLOCK_AS_IMPLICIT_KEY") {
    return `${message}; put a value that ends in or holds a colon in quotes, as in "echo:"`;
  }
  if (fault.code === "UNEXPECTED_TOKEN") {
    return `${message}; put a value with brackets in quotes, as in "[::]:8000"`;
  }
  if (fault.code === "MULTIPLE_DOCS") return `${message}; keep one, and remove the "---"`;
  if (fault.code === "TAG_RESOLVE_FAILED") return `${message}; remove the tag`;
  return `${message}; correct the YAML`;
}

function unmask(text: string): string {
  return text.replaceAll(OPEN, "{").replaceAll(CLOSE, "}");
}

/** Where lines begin. The parser's own counter misses those within what it could not read. */
class Lines {
  readonly #starts = [0];

  constructor(text: string) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
      this.#starts.push(at + 1);
    }
  }

  positionAt(offset: number): Position {
    let [line, behind] = [0, this.#starts.length];
    while (behind - line > 1) {
      const middle = (line + behind) >> 1;
      if ((this.#starts[middle] as number) <= offset) line = middle;
      else behind = middle;
    }
    return { line: line + 1, column: offset - (this.#starts[line] as number) + 1 };
  }
}

class Reader implements ConfigurationDocument {
  readonly file: string;
  readonly value: unknown;
  readonly mistakes: (Mistake & { position: Position })[] = [];
  readonly filled = new Set<string>();
  readonly #offsets = new Map<string, { key: number | undefined; value: number }>();
  readonly #targets: ReadonlyMap<Alias, Node>;
  #isTooMuch = false;
  readonly #lines: Lines;
  readonly #sources: Sources;
  #nodes = 0;

  constructor(document: Document, lines: Lines, file: string, sources: Sources) {
    this.#targets = targetsOf(document);
    this.#lines = lines;
    this.#sources = sources;
    this.file = file;
    this.value = this.#read(document.contents, []);
  }

  position(path: KeyPath, part: "key" | "value"): Position {
    const offsets = this.#offsets.get(pathId(path));
    if (offsets === undefined) {
      return path.length === 0 ? { line: 1, column: 1 } : this.position(path.slice(0, -1), "key");
    }
    const offset = part === "key" ? (offsets.key ?? offsets.value) : offsets.value;
    return this.#lines.positionAt(offset);
  }

  #report(path: KeyPath, offset: number, message: string, part: Mistake["part"] = "value"): void {
    this.mistakes.push({ path, part, message, position: this.#lines.positionAt(offset) });
  }

  /** `keyOffset` is where the key stands that the node belongs to, if it belongs to one. */
  #read(node: unknown, path: KeyPath, keyOffset?: number): unknown {
    this.#nodes += 1;
    const offset = offsetOf(node) ?? keyOffset ?? 0;
    this.#offsets.set(pathId(path), { key: keyOffset, value: offset });
    if (path.length > DEPTH_MAX || this.#nodes > NODES_MAX) {
      if (!this.#isTooMuch) this.#report(path, offset, TOO_MUCH);
      this.#isTooMuch = true;
      return undefined;
    }
    if (isAlias(node)) {
      const target = this.#targets.get(node);
      if (target !== undefined) return this.#read(target, path, keyOffset);
      this.#report(path, offset, `no anchor is named "${node.source}"; define it above`);
      return undefined;
    }
    if (isMap(node)) return this.#readMap(node.items, path);
    if (isSeq(node)) return node.items.map((item, index) => this.#read(item, [...path, index]));
    if (!isScalar(node)) return null;
    return typeof node.value === "string" ? this.#fill(node.value, path, offset) : node.value;
  }

  #readMap(pairs: { key: unknown; value: unknown }[], path: KeyPath): Record<string, unknown> {
    const map: Record<string, unknown> = Object.create(null);
    for (const pair of pairs) {
      const keyOffset = offsetOf(pair.key) ?? 0;
      if (!isScalar(pair.key)) {
        this.#report(path, keyOffset, "has a key that is not a plain word; write a word", "key");
        continue;
      }
      const key = unmask(String(pair.key.value));
      const keyPath = [...path, key];
      if (key in map) {
        const { line } = this.position(keyPath, "key");
        const message = `set twice, first in line ${line}; remove one of them`;
        this.#report(keyPath, keyOffset, message, "key");
        continue;
      }
      map[key] = this.#read(pair.value, keyPath, keyOffset);
    }
    return map;
  }

  #fill(source: string, path: KeyPath, offset: number): string {
    const { text, filled, mistakes } = substitute(unmask(source), this.#sources);
    for (const mistake of mistakes) this.#report(path, offset, mistake);
    if (filled) this.filled.add(pathId(path));
    return text;
  }
}

/**
 * What each alias stands for: the last node above it with its anchor. An alias' own `resolve`
 * walks the whole document.
 */
function targetsOf(document: Document): ReadonlyMap<Alias, Node> {
  const anchored = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) {
        const target = anchored.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) anchored.set(node.anchor, node);
    },
  });
  return targets;
}

const TOO_MUCH = "nested too deeply, or multiplied too often by aliases; write it out plainly";

function offsetOf(node: unknown): number | undefined {
  const range = (node as { range?: [number, number, number] | null } | null)?.range;
  return range?.[0];
}
