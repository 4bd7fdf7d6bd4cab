/**
 * docs/conformance.md as text, made from the cases and from which of them failed. It holds nothing
 * that differs from one run to the next, or from one machine to another.
 */
import { readFileSync } from "node:fs";
import type { Chapter, ConformanceCase } from "./case.ts";
import { handshakeSection } from "./handshake-page.ts";
import { differences, method } from "./page-prose.ts";

// From dist/test/conformance to the package's root.
const manifest = new URL("../../../package.json", import.meta.url);

export function conformancePage(
  chapters: readonly Chapter[],
  failures: ReadonlySet<string> = new Set(),
): string {
  const { version, engines } = JSON.parse(readFileSync(manifest, "utf8"));
  const cases = chapters.flatMap(casesOf);
  const sections = [
    introduction(`${version}`, `${engines.node}`, cases.length),
    summary(chapters, failures),
    method,
    differences,
    "## The cases",
    ...chapters.map((chapter) => chapterSection(chapter, failures)),
    handshakeSection(failures),
  ];
  return `${sections.join("\n\n")}\n`;
}

export function casesOf({ groups }: Chapter): ConformanceCase[] {
  return groups.flatMap(({ cases }) => cases);
}

function introduction(version: string, node: string, count: number): string {
  return [
    "# Conformance",
    "",
    `Headgate ${version} on Node ${node}, against RFC 6455 (WebSocket), RFC 3629 (UTF-8) and`,
    "RFC 7692 (permessage-deflate). This page is written by `npm run conformance`, which runs all",
    `${count} cases; \`npm test\` runs them as well, and holds this page against them.`,
    "The numbers are those of the Autobahn test suite 25.10.1 (its fuzzing client), so that both",
    "can be read side by side. The cases are written anew from the RFCs, and need no network.",
  ].join("\n");
}

function summary(chapters: readonly Chapter[], failures: ReadonlySet<string>): string {
  const rows = chapters.map((chapter) => {
    const cases = casesOf(chapter);
    const count = `${cases.length} | ${passed(cases, failures)}`;
    return `| ${chapter.number} | ${chapter.title} | ${count} |`;
  });
  const all = chapters.flatMap(casesOf);
  return [
    "| group | what it is about | cases | passed |",
    "| ---: | --- | ---: | ---: |",
    ...rows,
    `| | **all** | **${all.length}** | **${passed(all, failures)}** |`,
  ].join("\n");
}

function passed(cases: readonly ConformanceCase[], failures: ReadonlySet<string>): number {
  return cases.filter(({ id }) => !failures.has(id)).length;
}

function chapterSection(chapter: Chapter, failures: ReadonlySet<string>): string {
  const { number, title, groups } = chapter;
  const tables = groups.map((group) => {
    const rows = group.cases.map(({ id, sentence, outcome }) => {
      const result = failures.has(id) ? `**failed**, not: ${outcome}` : outcome;
      return `| ${id} | ${sentence} | ${result} |`;
    });
    const heading = groups.length > 1 ? [`#### ${group.number} ${group.title}`, ""] : [];
    return [...heading, "| case | sent | outcome |", "| --- | --- | --- |", ...rows].join("\n");
  });
  return [`### ${number} ${title}`, ...tables].join("\n\n");
}
