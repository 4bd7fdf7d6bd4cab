import assert from "node:assert/strict";
import { test } from "node:test";
import { Exposition } from "../../test/support/prometheus.ts";
import { type Family, formatFamilies, type Labels } from "./exposition.ts";
import { Histogram, type HistogramCounts } from "./histogram.ts";

function gauge(name: string, labels: string[], ...samples: [Labels, number][]): Family<null> {
  return { name, type: "gauge", help: "What it is", labels, samples: () => samples };
}

function histogram(...samples: [Labels, HistogramCounts][]): Family<null> {
  const head = { name: "h_seconds", help: "How long", labels: ["hub"] };
  return { ...head, type: "histogram", samples: () => samples };
}

test("a family is its help, its type and its samples", () => {
  const counter: Family<number> = {
    name: "a_total",
    type: "counter",
    help: "What happened",
    labels: [],
    samples: (source) => [[{}, source]],
  };
  const text = formatFamilies([counter], 42);
  assert.equal(text, "# HELP a_total What happened.\n# TYPE a_total counter\na_total 42\n");
});

test("labels are written in the order of their family, each with its value", () => {
  const family = gauge("g", ["one", "two"], [{ two: "b", one: "a" }, 1], [{ one: "c" }, 2]);
  const lines = formatFamilies([family], null).split("\n").slice(2);
  assert.deepEqual(lines, ['g{one="a",two="b"} 1', 'g{one="c",two=""} 2', ""]);
});

test("a backslash, a quote and a line's end in a label are escaped, and nothing else is", () => {
  const value = 'a\\b"c\nd\te{f}=,ü\\n';
  const text = formatFamilies([gauge("g", ["x"], [{ x: value }, 1])], null);
  assert.equal(text.split("\n")[2], 'g{x="a\\\\b\\"c\\nd\te{f}=,ü\\\\n"} 1');
});

test("a backslash and a line's end in the help are escaped, and a quote is not", () => {
  const text = formatFamilies([{ ...gauge("g", [], [{}, 1]), help: 'a\\b"c\nd' }], null);
  assert.equal(text.split("\n")[0], '# HELP g a\\\\b"c\\nd.');
});

test("numbers are written as a scraper reads them", () => {
  const values = [0, -1, 0.25, 1e21, 1e-7, 2 ** 53, Infinity, -Infinity, Number.NaN];
  const samples = values.map((value, index): [Labels, number] => [{ i: String(index) }, value]);
  const lines = formatFamilies([gauge("g", ["i"], ...samples)], null)
    .trim()
    .split("\n");
  assert.deepEqual(
    lines.slice(2).map((line) => line.split(" ")[1]),
    ["0", "-1", "0.25", "1e+21", "1e-7", "9007199254740992", "+Inf", "-Inf", "NaN"],
  );
});

test("a family without a sample is left out", () => {
  const text = formatFamilies([gauge("empty", []), gauge("g", [], [{}, 1]), histogram()], null);
  assert.equal(text, "# HELP g What it is.\n# TYPE g gauge\ng 1\n");
});

test("a histogram's buckets are cumulative up to +Inf, which is its count", () => {
  const observed = new Histogram();
  for (const seconds of [0.0005, 0.001, 0.25, 0.2, 100]) observed.observe(seconds);
  const text = formatFamilies([histogram([{ hub: "chat" }, observed.counts()])], null);
  const series = new Exposition(text);
  const atMost = (le: string) => series.value(`h_seconds_bucket{hub="chat",le="${le}"}`);
  assert.deepEqual(["0.001", "0.1", "0.25", "30", "+Inf"].map(atMost), [2, 2, 4, 4, 5]);
  assert.equal(series.value('h_seconds_count{hub="chat"}'), 5);
  assert.equal(series.value('h_seconds_sum{hub="chat"}'), 100.4515);
  assert.equal(series.families.get("h_seconds")?.series.size, 17);
});

test("each histogram of a family begins anew", () => {
  const observed = new Histogram();
  observed.observe(1);
  const samples: [Labels, HistogramCounts][] = [
    [{ hub: "a" }, observed.counts()],
    [{ hub: "b" }, new Histogram().counts()],
  ];
  const series = new Exposition(formatFamilies([histogram(...samples)], null));
  assert.equal(series.value('h_seconds_count{hub="a"}'), 1);
  assert.equal(series.value('h_seconds_count{hub="b"}'), 0);
});
