/**
 * Target: reading a configuration. Whatever the file holds, there is a configuration, or an error
 * that names each mistake at a place in the file; nothing else is thrown and nothing is polluted.
 * That no small file takes long is seen by who runs it.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { parseConfiguration } from "../../src/config/load.ts";
import { ConfigurationError } from "../../src/config/problem.ts";
import { environment, PIECES, TEXTS } from "./configuration-texts.ts";
import type { Random } from "./random.ts";
import { withoutPieces } from "./shrink.ts";
import { count, type Target } from "./target.ts";

const FILE = "fuzz.yaml";
const KEYS = new Set<unknown>(["name", "listen", "hubs", "admin", "workers", "limits"]);

const tally = new Map<string, number>();

export const configuration: Target<string> = {
  tally,
  shortRuns: 100,

  generate(random) {
    let text = random.pick(TEXTS);
    for (let changes = random.pick([0, 1, 1, 2, 3, 8]); changes > 0; changes--) {
      text = change(random, text);
    }
    return text;
  },

  check(text) {
    try {
      const { hubs, listen } = parseConfiguration(text, FILE, environment);
      assert(Object.keys(hubs).length > 0 && listen.length > 0);
      for (const key of keysOf(text)) assert(KEYS.has(key), `the key ${key} was passed over`);
      count(tally, "valid");
    } catch (error) {
      assert(!TEXTS.includes(text), `what it begins with is valid: ${error}`);
      checkError(error, text);
      count(tally, "refused");
    }
    assert.equal(Reflect.get({}, "polluted"), undefined, "no prototype is polluted");
  },

  *smaller(text) {
    for (const lines of withoutPieces(text.split("\n"))) yield lines.join("\n");
    yield* withoutPieces(text);
  },
};

function change(random: Random, text: string): string {
  const lines = text.split("\n");
  const at = random.below(text.length + 1);
  const line = random.below(lines.length);
  switch (random.below(6)) {
    case 0:
      return text.slice(0, at) + text.slice(at + random.between(1, 4));
    case 1:
      return text.slice(0, at) + random.pick(PIECES) + text.slice(at + random.below(2));
    case 2: {
      const end = random.below(text.length + 1);
      return text.slice(0, at) + text.slice(Math.min(at, end), end) + text.slice(at);
    }
    case 3: {
      const other = random.chance(0.5) ? random.pick(lines) : random.pick(PIECES).trimEnd();
      return lines.toSpliced(line, random.below(2), other).join("\n");
    }
    case 4:
      return lines.with(line, " ".repeat(random.below(7)) + (lines[line] ?? "").trim()).join("\n");
    default:
      return exchangeWord(random, text);
  }
}

/** A key or a value in the place of another, or a piece in its place. */
function exchangeWord(random: Random, text: string): string {
  const words = [...text.matchAll(/[\w./*-]+/g)];
  if (words.length === 0) return random.pick(PIECES);
  const { index, 0: word } = random.pick(words);
  const other = random.chance(0.5) ? random.pick(words)[0] : random.pick(PIECES);
  return text.slice(0, index) + other + text.slice(index + word.length);
}

/** As the parser alone has them; into a Map, where no name is special. */
function keysOf(text: string): unknown[] {
  const masked = text.replaceAll(/\$\{[^{}\n]*\}/g, "x");
  const parsed: unknown = parse(masked, { mapAsMap: true, uniqueKeys: false, logLevel: "silent" });
  return parsed instanceof Map ? [...parsed.keys()] : [];
}

/** Every mistake has a sentence and a place that is in the file, or right behind its end. */
function checkError(error: unknown, text: string): void {
  if (!(error instanceof ConfigurationError)) throw error;
  assert.equal(error.code, "HG_CONFIG_INVALID");
  assert(error.problems.length > 0, "an error has problems");
  const lines = text.split("\n");
  for (const { file, line, column, message } of error.problems) {
    assert.equal(file, FILE);
    assert(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}: ${message}`);
    const columns = (lines[line - 1] as string).length;
    assert(column >= 1 && column <= columns + 1, `column ${column} of ${columns}: ${message}`);
    assert(message.trim() !== "");
  }
}
