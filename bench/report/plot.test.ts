import assert from "node:assert/strict";
import { test } from "node:test";
import { plotRatios } from "./plot.ts";
import { workload } from "./report.test.helper.ts";

function widthsOf(svg: string): number[] {
  return [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
}

test("bars are as long as their medians, the base has none, and long ones are cut", () => {
  const svg = plotRatios(workload) ?? "";
  const [own = 0, cut = 0, ...others] = widthsOf(svg);
  assert.deepEqual(others, []);
  assert.ok(Math.abs(own / cut - 1.1 / 4) < 0.01);
  assert.match(svg, />11\.00 →</);
  assert.equal(svg.match(/class="own"/g)?.length, 1);
  assert.equal(svg.match(/class="whisker"/g)?.length, 1);
});

test("a ratio below nothing, as memory can have it, is a bar of no length", () => {
  const figures = workload.figures.map((each) => ({
    ...each,
    ratios: each.ratios.map((ratio) => -ratio),
  }));
  assert.deepEqual(widthsOf(plotRatios({ ...workload, figures }) ?? ""), [0, 0]);
});

test("names are text, whatever they hold", () => {
  const title = 'a "b" <c> & d';
  const svg = plotRatios({ ...workload, title }) ?? "";
  assert.ok(svg.includes("a &quot;b&quot; &lt;c> &amp; d"));
  assert.ok(!svg.includes("<c>"));
});

test("without ratios there is no plot", () => {
  assert.equal(plotRatios({ ...workload, main: ["1 MiB"] }), undefined);
});
