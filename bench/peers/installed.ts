/**
 * The peers that this machine has: those of bench/package.json, and what its distribution
 * brought. Each is tried before it counts, and what is missing has its reason.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Contender, peer } from "../floor/servers.ts";
import { reasonOf } from "../workloads/comparison.ts";
import { headgateOverNats } from "./carriers.ts";
import { proxied } from "./proxies.ts";
import { pushpin } from "./pushpin.ts";

export interface Peers {
  /** WebSocket servers, each with the roles that its file in bench/peers has. */
  servers: Contender[];
  /** The same with permessage-deflate. */
  compressing: Contender[];
  /** What programs of the distribution are a part of, with a service behind each. */
  gateways: Contender[];
  versions: Record<string, string>;
  missing: Record<string, string>;
}

/** From the lockfile alone; nothing is run that the packages bring. */
export function installPeers(root: string): void {
  const options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", options, { cwd: join(root, "bench"), stdio: ["ignore", 2, 2] });
}

interface Package {
  name: string;
  /** Of bench/peers. */
  file: string;
  runtime: string;
  /** Of bench/node_modules. */
  folder: string;
  /** What is named instead of the package's version, where that is not the server's own. */
  describe?: (folder: string) => string;
}

export async function findPeers(root: string): Promise<Peers> {
  const peers: Peers = { servers: [], compressing: [], gateways: [], versions: {}, missing: {} };
  const folderOf = (name: string) => join(root, "bench/node_modules", name);
  const bunFolder = folderOf("@oven/bun-linux-x64");
  const packages: Package[] = [
    {
      name: "uWebSockets.js",
      file: "uwebsockets.js",
      runtime: process.execPath,
      folder: folderOf("uwebsockets"),
      describe: describeUWebSockets,
    },
    { name: "Bun", file: "bun.js", runtime: join(bunFolder, "bin/bun"), folder: bunFolder },
    { name: "ws", file: "ws.js", runtime: process.execPath, folder: folderOf("ws") },
  ];
  const found = await Promise.all(packages.map((each) => findServer(root, each)));
  for (const { name, missing, version, command } of found) {
    if (missing === undefined) {
      peers.versions[name] = version;
      peers.servers.push(peer(name, command));
      peers.compressing.push(peer(name, `env COMPRESS=1 ${command}`));
    } else peers.missing[name] = missing;
  }
  findProgram(peers, "nats-server", ["-v"], () => headgateOverNats(root));
  findProgram(peers, "nginx", ["-v"], () => proxied(root, "nginx"));
  findProgram(peers, "haproxy", ["-v"], () => proxied(root, "haproxy"));
  findProgram(peers, "pushpin", ["--version"], () => pushpin(root));
  return peers;
}

/** Whether it is there and starts; if not, `missing` is why. */
async function findServer(
  root: string,
  { name, file, runtime, folder, describe = packageVersion }: Package,
): Promise<{ name: string; command: string; version: string; missing?: string }> {
  const command = `"${runtime}" "${join(root, "bench/peers", file)}"`;
  if (!existsSync(folder)) return { name, command, version: "", missing: "not installed" };
  const version = describe(folder);
  try {
    await (await peer(name, command).start()).stop();
    return { name, command, version };
  } catch (error) {
    return { name, command, version, missing: reasonOf(error) };
  }
}

/**
 * The project itself is not in npm's registry. This package of somebody else's holds its binaries
 * and counts versions of its own; `source_commit` is the project's own file beside them.
 */
export function describeUWebSockets(folder: string): string {
  const commit = readFileSync(join(folder, "source_commit"), "utf8").trim().slice(0, 12);
  const version = packageVersion(folder);
  return `(npm \`uwebsockets\` ${version}: the project's binaries of commit ${commit})`;
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
