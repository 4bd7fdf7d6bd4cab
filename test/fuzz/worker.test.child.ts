/**
 * A process of the fuzzing command: does the one job that it was started with, and reports. The
 * command reads where it was from the mark file if it hangs or dies.
 */
import { openSync, writeSync } from "node:fs";
import { type Job, MARK_BYTES, type Report } from "../../scripts/fuzz/messages.ts";
import { runCampaign, runRegressions } from "./campaign.ts";
import { loadTarget } from "./targets.ts";

const job = JSON.parse(process.argv[2] as string) as Job;
const markFile = openSync(job.markFile, "r+");
const marked = Buffer.alloc(MARK_BYTES);

function mark(seed: number): void {
  marked.writeDoubleLE(seed);
  writeSync(markFile, marked, 0, MARK_BYTES, 0);
}

async function work(): Promise<Report> {
  const target = await loadTarget(job.target);
  const { target: name, seed, first, stride, runs = Infinity, timeMs } = job;
  const failure = first === 0 ? await runRegressions(name, target, mark) : undefined;
  const campaign = { seed, first, stride, runs, timeMs, mark };
  return failure === undefined
    ? runCampaign(target, campaign)
    : { ...(await runCampaign(target, { ...campaign, runs: 0 })), failure };
}

const report = await work();
process.send?.(report, () => process.disconnect());
