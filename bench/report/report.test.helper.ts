/**
 * Results such as a run leaves them, small enough to be read in a test.
 */
import type { Results, WorkloadResult } from "./results.ts";

export const workload: WorkloadResult = {
  name: "echo",
  title: "Echo",
  base: "floor",
  cost: "CPU for a message, µs",
  digits: 2,
  sides: [{ key: "perSecond", title: "messages/s", digits: 0 }],
  note: "As it is.",
  main: ["20 B"],
  figures: [
    figure("20 B", "floor", [10, 12, 11], [1, 1, 1]),
    figure("20 B", "Headgate", [11, 12, 22], [1.1, 1, 2]),
    figure("20 B", "ws", [110], [11]),
    figure("1 MiB", "Headgate", [500], []),
  ],
  failures: [{ scenario: "1 MiB", contender: "floor", reason: "it <ended>" }],
};

export const results: Results = {
  command: "npm run bench",
  isQuick: false,
  version: "1.2.3",
  machine: "today\n2 cores",
  rounds: 3,
  seconds: 1,
  versions: { ws: "8.0.0" },
  missing: { pushpin: "not installed" },
  workloads: [workload],
};

function figure(scenario: string, contender: string, costs: number[], ratios: number[]) {
  const samples = costs.map((cost) => ({ cost, perSecond: 1e6 / cost }));
  return { scenario, contender, samples, ratios };
}
