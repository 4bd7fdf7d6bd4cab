/** Starts the service of the hostile run, and stops it with this process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../service.test.child.js", import.meta.url));

/** Where it listens. */
export async function startEchoService(): Promise<string> {
  const service = spawn(process.execPath, [SCRIPT], { stdio: ["pipe", "pipe", "inherit"] });
  const [port] = await once(createInterface({ input: service.stdout }), "line");
  return `http://127.0.0.1:${port}/`;
}
