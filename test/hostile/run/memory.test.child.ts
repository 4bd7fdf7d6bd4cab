/**
 * Loaded into each process of the gateway before all else (`node --import`): on SIGUSR2 it
 * collects all garbage and logs what is left, as a record of its own. The product has no such
 * signal; without it a run could only see what V8 has not collected yet.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
let count = 0;

process.on("SIGUSR2", () => {
  // What the first one finds to be finalized is freed by the second.
  collect();
  collect();
  count += 1;
  const { heapUsed, external } = process.memoryUsage();
  const liveBytes = heapUsed + external;
  const record = { level: "debug", msg: "memory collected", pid: process.pid, count, liveBytes };
  process.stderr.write(`${JSON.stringify(record)}\n`);
});
