/**
 * A file of bench/peers as a process on the servers' core, with its port in PORT: what stands
 * behind a gateway.
 */
import { join } from "node:path";
import { peer, type Server } from "../floor/servers.ts";

export function serviceProcess(root: string, file: string): Promise<Server> {
  const path = join(root, "bench/peers", file);
  return peer(file, `"${process.execPath}" "${path}"`).start();
}
