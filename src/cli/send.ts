/**
 * `headgate send`: pushes what stands on stdin, as one message, through the admin API.
 */

import { buffer } from "node:stream/consumers";
import { AdminClient, type AdminOptions } from "./admin-client.ts";
import { EXIT_DONE, usageError } from "./failure.ts";
import type { ProgramStreams } from "./program.ts";

export interface SendOptions extends AdminOptions {
  hub: string;
  connection?: string;
  user?: string;
  group?: string;
  all?: true;
  binary?: true;
}

export async function send(
  options: SendOptions,
  environmentKey: string | undefined,
  { stdin, stdout, stderr }: Omit<ProgramStreams, "env">,
): Promise<number> {
  const path = `/api/hubs/${encodeURIComponent(options.hub)}${targetPath(options)}/:send`;
  const client = await AdminClient.open(options, environmentKey);
  if (stdin.isTTY === true) stderr.write("Type the message, then Ctrl-D on a line of its own.\n");
  const response = await client.request({
    method: "POST",
    path,
    contentType: options.binary ? "application/octet-stream" : "text/plain; charset=utf-8",
    body: await buffer(stdin),
  });
  await response.body?.cancel();
  const matched = response.headers.get("headgate-matched");
  const dropped = response.headers.get("headgate-dropped");
  const partial = response.headers.get("headgate-partial") === "true";
  stdout.write(
    `matched ${matched}, dropped ${dropped}` +
      `${partial ? "; not every worker answered in time, so there may be more" : ""}\n`,
  );
  return EXIT_DONE;
}

function targetPath({ connection, user, group, all }: SendOptions): string {
  const targets = [
    connection === undefined ? undefined : `/connections/${encodeURIComponent(connection)}`,
    user === undefined ? undefined : `/users/${encodeURIComponent(user)}`,
    group === undefined ? undefined : `/groups/${encodeURIComponent(group)}`,
    all ? "" : undefined,
  ].filter((target) => target !== undefined);
  const [target] = targets;
  if (target === undefined || targets.length > 1) {
    throw usageError("Say to whom: one of --connection ID, --user NAME, --group NAME, or --all.");
  }
  return target;
}
