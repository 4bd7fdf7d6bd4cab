import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { check } from "./check.ts";

const folder = makeTemporaryFolder();

async function run(name: string, text?: string, schema?: boolean) {
  const config = join(folder, name);
  if (text !== undefined) writeFileSync(config, text);
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    write: (text: string) => {
      written[name] += text.replaceAll(`${folder}/`, "");
    },
  });
  const streams = { stdout: stream("stdout"), stderr: stream("stderr") };
  return { exitCode: await check({ config, schema }, streams), ...written };
}

test("a configuration without mistakes is counted in one line", async () => {
  const text = 'hubs: { a: { service: "echo:" }, b: { service: "echo:" } }';
  assert.deepEqual(await run("headgate.yaml", text), {
    exitCode: 0,
    stdout: "headgate.yaml: no mistakes, 2 hubs, 1 listener\n",
    stderr: "",
  });
});

test("every mistake is a line on stderr, and the exit code is 2", async () => {
  const text = "hubs:\n  a:\n    servce: x\nworkers: 0\n";
  assert.deepEqual(await run("headgate.yaml", text), {
    exitCode: 2,
    stdout: "",
    stderr:
      "headgate.yaml:2:3: hubs.a.service: missing; set it to text such as " +
      "http://127.0.0.1:3000/events or a mapping with url\n" +
      'headgate.yaml:3:5: hubs.a.servce: unknown key; did you mean "service"?\n' +
      "headgate.yaml:4:10: workers: must be a whole number from 1 to 256 or auto, not 0\n" +
      "HG_CONFIG_INVALID: headgate.yaml has 3 mistakes; correct and check again\n",
  });
});

test("a file that is not there is told in one sentence, with exit code 2", async () => {
  const { exitCode, stdout, stderr } = await run("none.yaml");
  assert.equal(exitCode, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^HG_CONFIG_NOT_FOUND: there is no none\.yaml; .*headgate init.*\n$/);
});

test("the editor's schema is printed without reading a file", async () => {
  const { exitCode, stdout } = await run("none.yaml", undefined, true);
  assert.equal(exitCode, 0);
  assert.equal((JSON.parse(stdout) as { type: string }).type, "object");
});
