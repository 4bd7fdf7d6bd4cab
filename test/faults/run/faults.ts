/**
 * What is done to the service and to the way to it while clients talk: each fault has a name,
 * begins, lasts, and ends. What has to hold afterwards is the run's to know.
 */
import { setTimeout as delay } from "node:timers/promises";
import { CLEAN, type FaultProxy } from "../fault-proxy.ts";
import type { Behaviour } from "./carriers.ts";
import type { Instances } from "./instances.ts";

export interface Stage {
  proxy: FaultProxy;
  instances: Instances;
  random: () => number;
}

export interface Fault {
  name: string;
  /** Resolves when all is well again. */
  run(stage: Stage): Promise<void>;
}

const SPOILED_MS = 2500;
const STOPPED_MS = 5000;
/** Longer than a request may take. */
const FROZEN_MS = 3000;
const CUT_MS = 1500;
const RESETS = 5;
const RESET_EACH_MS = 300;
const BYTES_PER_SECOND = 20_000;

/** Every other time nobody listens on its port meanwhile; otherwise connections just end. */
function killed(round: number, awayMsMax: number): Fault {
  const isRefused = round % 2 === 0;
  return {
    name: `killed, ${isRefused ? "refused" : "broken off"} meanwhile`,
    run: async ({ proxy, instances, random }) => {
      await instances.kill();
      if (isRefused) await proxy.cut();
      await delay(random() * awayMsMax);
      await instances.start();
      await proxy.mend();
    },
  };
}

const stopped: Fault = {
  name: "stopped for 5 s",
  run: async ({ instances }) => {
    instances.signal("SIGSTOP");
    await delay(STOPPED_MS);
    instances.signal("SIGCONT");
  },
};

const resets: Fault = {
  name: "connections reset, again and again",
  run: async ({ proxy }) => {
    for (let count = 0; count < RESETS; count += 1) {
      proxy.reset();
      await delay(RESET_EACH_MS);
    }
  },
};

const cut: Fault = {
  name: "cut off",
  run: async ({ proxy }) => {
    await proxy.cut();
    await delay(CUT_MS);
    await proxy.mend();
  },
};

const frozen: Fault = {
  name: "sockets open, nothing forwarded",
  run: async ({ proxy }) => {
    proxy.freeze();
    await delay(FROZEN_MS);
    await proxy.mend();
  },
};

function spoiled(name: string, spoiling: Partial<FaultProxy["spoiling"]>): Fault {
  return {
    name,
    run: async ({ proxy }) => {
      proxy.spoiling = { ...CLEAN, ...spoiling };
      await delay(SPOILED_MS);
      await proxy.mend();
    },
  };
}

const wayFaults: readonly Fault[] = [
  spoiled("latency of 50 to 150 ms", { latencyMs: 50, jitterMs: 100 }),
  spoiled("little bandwidth", { bytesPerSecond: BYTES_PER_SECOND }),
  spoiled("single bytes", { pieceBytes: 1 }),
  cut,
  frozen,
  resets,
];

function behaving(behaviour: Behaviour): Fault {
  return {
    name: `the service is ${behaviour}`,
    run: async ({ instances }) => {
      instances.behave(behaviour);
      await delay(SPOILED_MS);
      instances.behave("well");
    },
  };
}

/** All of a run, in their order. */
export function planFaults(
  behaviours: readonly Behaviour[],
  kills: number,
  awayMsMax: number,
): Fault[] {
  return [
    ...Array.from({ length: kills }, (_, round) => killed(round, awayMsMax)),
    stopped,
    ...wayFaults,
    ...behaviours.map(behaving),
  ];
}
