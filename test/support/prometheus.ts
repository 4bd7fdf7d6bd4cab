/**
 * Reads Prometheus' text format, version 0.0.4, and refuses what promtool or a scraper would:
 * samples outside their family, series that are there twice, histograms that do not add up.
 */
import assert from "node:assert/strict";

interface Family {
  type: string;
  help: string;
  /** By the sample's name and labels, as they are written: `x_total{hub="chat"}`. */
  series: Map<string, number>;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const PAIR = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\n]|\\\\["\\\\n])*"';
const HELP_LINE = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\[\\\\n])+)$`);
const TYPE_LINE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE_LINE = new RegExp(`^(${NAME})(\\{${PAIR}(?:,${PAIR})*\\})? (\\S+)$`);
const NUMBER = /^(?:[+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/;

export class Exposition {
  readonly families: ReadonlyMap<string, Family>;

  constructor(text: string) {
    this.families = parse(text);
  }

  /** Undefined where there is no such series. */
  find(series: string): number | undefined {
    const [name = ""] = series.split("{");
    const family = this.families.get(name) ?? this.families.get(baseName(name));
    return family?.series.get(series);
  }

  value(series: string): number {
    const value = this.find(series);
    assert(value !== undefined, `there is no ${series}`);
    return value;
  }

  /** Of all series of a family, whatever their labels. */
  sum(family: string): number {
    const { series } = this.families.get(family) ?? { series: new Map<string, number>() };
    return [...series.values()].reduce((sum, value) => sum + value, 0);
  }

  /** All series of counters and histograms: what may never fall. */
  counters(): Map<string, number> {
    const families = [...this.families.values()].filter(({ type }) => type !== "gauge");
    return new Map(families.flatMap(({ series }) => [...series]));
  }
}

function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  assert(text.endsWith("\n"), "the last line is not ended");
  let current: { name: string; family: Family } | undefined;
  const lines = text.slice(0, -1).split("\n");
  for (const [index, line] of lines.entries()) {
    const [, helpName, help] = HELP_LINE.exec(line) ?? [];
    if (helpName !== undefined && help !== undefined) {
      assert(!families.has(helpName), `${helpName} is there twice`);
      const [, typeName, type] = TYPE_LINE.exec(lines[index + 1] ?? "") ?? [];
      assert.equal(typeName, helpName, "HELP is followed by TYPE");
      current = { name: helpName, family: { type: type ?? "", help, series: new Map() } };
      families.set(helpName, current.family);
      continue;
    }
    if (TYPE_LINE.test(line)) continue;
    const [, name = "", labels = "", value = ""] = SAMPLE_LINE.exec(line) ?? [];
    assert(name !== "", `not a line of the format: ${line}`);
    assert.match(value, NUMBER, line);
    assert(current !== undefined, `a sample before its family: ${line}`);
    const isOurs = current.family.type === "histogram" ? baseName(name) : name;
    assert.equal(isOurs, current.name, "samples stand with their family");
    const { series } = current.family;
    assert(!series.has(name + labels), `${name}${labels} is there twice`);
    series.set(name + labels, parseNumber(value));
  }
  for (const [name, family] of families) check(name, family);
  return families;
}

function check(name: string, { type, series }: Family): void {
  assert(series.size > 0, `${name} has no sample`);
  assert.equal(type === "counter", name.endsWith("_total"), `${name} is a ${type}`);
  if (type !== "gauge") {
    for (const [key, value] of series) assert(value >= 0, `${key} is ${value}`);
  }
  if (type === "histogram") checkHistogram(name, series);
}

function checkHistogram(name: string, series: Map<string, number>): void {
  let bound = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const [key, value] of series) {
    const [, le] = /^\w+_bucket\{(?:.*,)?le="([^"]*)"\}$/.exec(key) ?? [];
    if (le !== undefined) {
      assert(parseNumber(le) > bound, `the bounds of ${name} rise`);
      assert(value >= count, `the buckets of ${name} are cumulative`);
      bound = parseNumber(le);
      count = value;
      continue;
    }
    assert.equal(bound, Number.POSITIVE_INFINITY, `the last bucket of ${name} is +Inf`);
    if (!key.startsWith(`${name}_count`)) continue;
    assert.equal(value, count, `${key} is what is in the last bucket`);
    assert(series.has(key.replace("_count", "_sum")), `${key} has a sum`);
    bound = Number.NEGATIVE_INFINITY;
    count = 0;
  }
  assert.equal(bound, Number.NEGATIVE_INFINITY, `the last histogram of ${name} has a count`);
}

function baseName(name: string): string {
  return name.replace(/_(?:bucket|sum|count)$/, "");
}

function parseNumber(text: string): number {
  return Number(text.replace("Inf", "Infinity"));
}
