/**
 * docs/rest-api.md as a reader uses it: every line of it is run by a shell as it stands there,
 * but for the port, and must be answered as the page says.
 */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Member, RestStage } from "./support/rest-stage.ts";

const PAGE = fileURLToPath(new URL("../../docs/rest-api.md", import.meta.url));
const PORT_ON_PAGE = "127.0.0.1:8001";

/** The statuses that the page gives to the lines of each of its sections, in their order. */
const STATUSES: Record<string, number[]> = {
  "Who may call": [200],
  Send: [202, 202, 202, 202],
  Groups: [200, 200, 200, 200, 202],
  Ask: [200, 200, 200],
  Leave: [204, 204, 204, 204],
  "By Amazon's paths": [200, 200, 204],
  Close: [204, 204, 204, 204],
  "The gateway itself": [200, 200, 200, 200, 200, 200],
};

const run = promisify(execFile);

const hasCurl = spawnSync("curl", ["--version"]).status === 0;
if (!hasCurl) console.error("SKIPPED: there is no curl here, so docs/rest-api.md is not tried");

interface Section {
  title: string;
  lines: string[];
}

function sectionsOfPage(): Section[] {
  const sections: Section[] = [];
  for (const line of readFileSync(PAGE, "utf8").split("\n")) {
    if (line.startsWith("## ")) sections.push({ title: line.slice(3), lines: [] });
    if (line.startsWith("    ")) sections.at(-1)?.lines.push(line.trim());
  }
  return sections.filter(({ lines }) => lines.length > 0);
}

describe("docs/rest-api.md", { skip: hasCurl ? false : "there is no curl here" }, () => {
  let stage: RestStage;
  let ann: Member;
  /** What the page's shell has in ID. */
  let id = "";

  before(async () => {
    stage = await RestStage.set(["chat"]);
    ann = await stage.open("chat", "lobby", { user: "ann" });
  });

  async function shell(line: string): Promise<string> {
    const { stdout } = await run(
      "bash",
      ["-euc", line.replaceAll(PORT_ON_PAGE, `127.0.0.1:${stage.gateway.adminPort}`)],
      {
        timeout: 10_000,
        env: {
          PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
          HEADGATE_KEY: "any-key",
          ID: id,
          no_proxy: "127.0.0.1",
        },
      },
    );
    return stdout;
  }

  /** The status line's number, or 200 for a line that shows no head and had an answer. */
  function statusOf(output: string): number {
    const head = /^HTTP\/1\.1 (\d{3})/.exec(output);
    return head === null && output.length > 0 ? 200 : Number(head?.[1]);
  }

  for (const { title, lines } of sectionsOfPage()) {
    test(`"${title}": each of its lines is answered as it says`, async () => {
      // The section before may have closed the client, as its lines say.
      if (ann.client.closed !== undefined) {
        ann = await stage.open("chat", "lobby", { user: "ann" });
        id = ann.connectionId;
      }
      const statuses: number[] = [];
      for (const line of lines) {
        if (line.startsWith("ID=")) {
          id = (await shell(`${line}; echo "$ID"`)).trim();
          assert.equal(id, ann.connectionId);
        } else {
          assert.match(line, /^curl /);
          statuses.push(statusOf(await shell(line)));
        }
      }
      assert.deepEqual(statuses, STATUSES[title], lines.join("\n"));
    });
  }

  test("has all the sections that are tried here", () => {
    assert.deepEqual(
      sectionsOfPage().map(({ title }) => title),
      Object.keys(STATUSES),
    );
  });

  test("sends what its lines say to the client that it speaks of", async () => {
    const client = await stage.open("chat", "lobby", { user: "ann" });
    for (const { title, lines } of sectionsOfPage()) {
      for (const line of title === "Send" ? lines : []) await shell(line);
    }
    const expected = ["to everybody", "to a user", '{"to":"a group"}'];
    // The last line's push has the id of the one above, sent a moment ago, but never to this one.
    assert.deepEqual(await stage.received([client]), [[...expected, "once, to all but two"]]);
    id = client.connectionId;
    const closing = sectionsOfPage().find(({ title }) => title === "Close")?.lines ?? [];
    await shell(closing[0] as string);
    assert.deepEqual(await client.client.untilClosed(), {
      code: 1000,
      reason: "enough accepted=0",
    });
  });
});
