/**
 * Prometheus' text format, version 0.0.4: families with their help and type, and the samples that
 * each reads from a source. It knows no metric by name, and serves nothing.
 */
import { durationBoundsSeconds, type HistogramCounts } from "./histogram.ts";

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

interface FamilyHead {
  readonly name: string;
  /** One sentence, without its full stop. */
  readonly help: string;
  /** Their names, in the order in which they are written. */
  readonly labels: readonly string[];
}

export type Family<Source> =
  | (FamilyHead & {
      readonly type: "counter" | "gauge";
      samples(source: Source): Iterable<readonly [Labels, number]>;
    })
  | (FamilyHead & {
      readonly type: "histogram";
      samples(source: Source): Iterable<readonly [Labels, HistogramCounts]>;
    });

/** A family that has no sample now is left out. */
export function formatFamilies<Source>(
  families: readonly Family<Source>[],
  source: Source,
): string {
  return families.map((family) => formatFamily(family, source)).join("");
}

function formatFamily<Source>(family: Family<Source>, source: Source): string {
  const { name, help, type } = family;
  const lines: string[] = [];
  if (family.type === "histogram") {
    for (const [labels, counts] of family.samples(source)) {
      lines.push(...formatHistogram(family, labels, counts));
    }
  } else {
    for (const [labels, value] of family.samples(source)) {
      lines.push(formatSample(name, formatLabels(family, labels), value));
    }
  }
  if (lines.length === 0) return "";
  return [`# HELP ${name} ${escapeHelp(help)}.`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
}

/** Its buckets are told cumulatively, the one of `+Inf` being the count of all. */
function formatHistogram(family: FamilyHead, labels: Labels, counts: HistogramCounts): string[] {
  const { name } = family;
  const pairs = formatLabels(family, labels);
  const lines: string[] = [];
  let count = 0;
  for (const [bucket, inBucket] of counts.buckets.entries()) {
    count += inBucket;
    const bound = durationBoundsSeconds[bucket] ?? Number.POSITIVE_INFINITY;
    lines.push(formatSample(`${name}_bucket`, [...pairs, `le="${formatNumber(bound)}"`], count));
  }
  lines.push(formatSample(`${name}_sum`, pairs, counts.sum));
  lines.push(formatSample(`${name}_count`, pairs, count));
  return lines;
}

function formatSample(name: string, pairs: readonly string[], value: number): string {
  const labels = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${name}${labels} ${formatNumber(value)}`;
}

function formatLabels({ labels: names }: FamilyHead, labels: Labels): string[] {
  return names.map((name) => `${name}="${escapeLabel(labels[name] ?? "")}"`);
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"');
}
