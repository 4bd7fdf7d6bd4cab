/**
 * The peers that this machine has: those of bench/package.json, and what its distribution
 * brought. Each is tried before it counts, and what is missing has its reason.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Contender, peer } from "../floor/servers.ts";
import { reasonOf } from "../workloads/comparison.ts";
import { proxied } from "./proxies.ts";
import { pushpin } from "./pushpin.ts";

export interface Peers {
  /** WebSocket servers, each with the roles that its file in bench/peers has. */
  servers: Contender[];
  /** The same with permessage-deflate. */
  compressing: Contender[];
  /** Programs of the distribution, with a service behind each. */
  gateways: Contender[];
  versions: Record<string, string>;
  missing: Record<string, string>;
}

/** From the lockfile alone; nothing is run that the packages bring. */
export function installPeers(root: string): void {
  const options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", options, { cwd: join(root, "bench"), stdio: ["ignore", 2, 2] });
}

export async function findPeers(root: string): Promise<Peers> {
  const peers: Peers = { servers: [], compressing: [], gateways: [], versions: {}, missing: {} };
  const folder = join(root, "bench");
  const bun = join(folder, "node_modules/@oven/bun-linux-x64/bin/bun");
  const servers = [
    {
      name: "uWebSockets.js",
      file: "uwebsockets.js",
      runtime: process.execPath,
      of: "uwebsockets",
    },
    { name: "Bun", file: "bun.js", runtime: bun, of: "@oven/bun-linux-x64" },
    { name: "ws", file: "ws.js", runtime: process.execPath, of: "ws" },
  ];
  for (const { name, file, runtime, of } of servers) {
    const packageFolder = join(folder, "node_modules", of);
    if (!existsSync(packageFolder)) {
      peers.missing[name] = "not installed";
      continue;
    }
    const command = `"${runtime}" "${join(folder, "peers", file)}"`;
    const contender = peer(name, command);
    try {
      peers.versions[name] = packageVersion(packageFolder);
      await (await contender.start()).stop();
      peers.servers.push(contender);
      peers.compressing.push(peer(name, `env COMPRESS=1 ${command}`));
    } catch (error) {
      peers.missing[name] = reasonOf(error);
    }
  }
  findProgram(peers, "nginx", ["-v"], () => proxied(root, "nginx"));
  findProgram(peers, "haproxy", ["-v"], () => proxied(root, "haproxy"));
  findProgram(peers, "pushpin", ["--version"], () => pushpin(root));
  return peers;
}

export function packageVersion(folder: string): string {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return String(version);
}

function findProgram(
  { gateways, versions, missing }: Peers,
  name: string,
  options: string[],
  gateway: () => Contender,
): void {
  const { status, stdout, stderr, error } = spawnSync(name, options, { encoding: "utf8" });
  if (error !== undefined || status !== 0) {
    missing[name] = "not installed";
    return;
  }
  gateways.push(gateway());
  versions[name] = /\d+(?:\.\d+)+/.exec(`${stdout}${stderr}`)?.[0] ?? "unknown";
}
