import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { loadConfiguration, parseConfiguration } from "../config/load.ts";
import { check } from "./check.ts";
import { init } from "./init.ts";

const folder = makeTemporaryFolder();

let written = "";
const stream = {
  write: (text: string) => {
    written += text;
  },
};
const streams = { stdout: stream, stderr: stream };

test("the file that is written has no mistakes, and runs an echo hub", async () => {
  const config = join(folder, "headgate.yaml");
  assert.equal(await init({ config }, streams), 0);
  assert.match(written, /wrote .*headgate\.yaml; run "headgate start --config .*"/);
  assert.equal(await check({ config }, streams), 0);
  const { hubs } = await loadConfiguration(config, {});
  assert.deepEqual(hubs.echo?.service, { kind: "echo" });
});

test("what stands in comments has no mistakes either", async () => {
  const config = join(folder, "uncommented.yaml");
  await init({ config }, streams);
  const text = readFileSync(config, "utf8");
  // Settings are commented out by "# " and a key or a deeper line; sentences begin otherwise.
  const uncommented = text.replaceAll(/^( *)# ((?: {2,})?[a-z]\w*:)/gim, "$1$2");
  const keys = { HEADGATE_KEY: "key", HEADGATE_SIGNING_KEY: "signing" };
  const { hubs, admin, name } = parseConfiguration(uncommented, config, keys);
  assert.deepEqual(hubs.chat?.signingKeys, ["signing"]);
  assert.deepEqual(hubs.chat?.paths, ["/chat", "/chat/:room"]);
  assert.deepEqual(admin.keys, ["key"]);
  assert.equal(name, "gateway.example");
  assert.match(uncommented, /^ {2}pingIntervalMs: 25000$/m);
});

test("a file that is there is not overwritten", async () => {
  const config = join(folder, "mine.yaml");
  writeFileSync(config, "mine");
  await assert.rejects(init({ config }, streams), { code: "HG_FILE_EXISTS" });
  assert.equal(readFileSync(config, "utf8"), "mine");
});

test("a folder that is not there is told", async () => {
  const config = join(folder, "none", "headgate.yaml");
  await assert.rejects(init({ config }, streams), { code: "HG_FILE_UNWRITABLE" });
});
