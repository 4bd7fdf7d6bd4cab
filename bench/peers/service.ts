/**
 * A file of bench/peers as a process on the servers' core, with its port in PORT: what stands
 * behind a gateway.
 */
import { join } from "node:path";
import { Child } from "../floor/child.ts";
import { peer, type Server } from "../floor/servers.ts";

export function serviceProcess(root: string, file: string): Promise<Server> {
  const path = join(root, "bench/peers", file);
  return peer(file, `"${process.execPath}" "${path}"`).start();
}

/** One that answers no handshake, and writes a line when it is ready. */
export async function compiledService(root: string, file: string, port: number): Promise<Server> {
  const command = [process.execPath, join(root, "dist/bench/peers", file)];
  const child = new Child(0, command, { env: { PORT: String(port) } });
  await child.line();
  return { port, pids: [child.pid], stop: () => child.stop("terminate") };
}
