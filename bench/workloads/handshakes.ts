/**
 * Handshakes: CPU time for a connection that is opened and closed again, as many as the server
 * takes. The floor has no part in it, since it shakes no hands.
 */
import { headgate } from "../floor/servers.ts";
import { type Comparison, compare } from "./comparison.ts";
import { headgateBench } from "./headgate-bench.ts";
import { type Bench, type Workload, withServers } from "./workload.ts";

const AT_ONCE = 100;
/** Handshakes are little of what a server compiles itself for, and come late to it. */
const SECONDS_MIN = 1;
const scenario = `${AT_ONCE} at once`;

export const handshakes: Workload = {
  name: "handshakes",
  title: "Handshakes",
  base: "uWebSockets.js",
  cost: "CPU for a connection, µs",
  digits: 1,
  sides: [
    { key: "userUs", title: "of it user, µs", digits: 1 },
    { key: "perSecond", title: "handshakes/s", digits: 0 },
    { key: "p99Ms", title: "p99 ms", digits: 1 },
    { key: "generatorPercent", title: "generator's core, %", digits: 0 },
  ],
  note:
    "Opened and closed by `headgate bench --mode connect`, so that the cost is of both: " +
    "accepting, the handshake, the closing handshake and the end of the socket.",
  main: [scenario],
  measure,
};

async function measure({ root, peers, rounds, seconds, progress }: Bench): Promise<Comparison> {
  const plan = { scenario, rounds, base: handshakes.base, warmUpRounds: 1, progress } as const;
  return withServers([headgate(root), ...peers], (running) =>
    compare(running, plan, async ({ server }) => {
      const asked = {
        mode: "connect",
        concurrency: AT_ONCE,
        duration: Math.max(seconds, SECONDS_MIN),
      };
      const report = await headgateBench(root, server, asked);
      return {
        cost: report.server.cpuUsPerMessage,
        userUs: (report.server.userSeconds * 1e6) / report.messages,
        perSecond: report.messagesPerSecond,
        p99Ms: report.latencyMs.p99Ms,
        generatorPercent: report.generator.cpuShare * 100,
      };
    }),
  );
}
