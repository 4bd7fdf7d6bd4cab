/**
 * What is done to the service, to the broker and to the way there while clients talk: each fault
 * has a name, begins, lasts, and ends. What has to hold afterwards is the run's to know.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { NatsServer } from "../../support/nats-server.ts";
import { CLEAN, type FaultProxy } from "../fault-proxy.ts";
import type { Behaviour, Carrier } from "./carriers.ts";
import type { Instances } from "./instances.ts";

export interface Stage {
  /** In front of the broker, or of the service where there is none. */
  proxy: FaultProxy;
  instances: Instances;
  broker: NatsServer | undefined;
  random: () => number;
}

export interface Fault {
  name: string;
  /** A process dies of it, with what it has in its hands. */
  isDeath: boolean;
  /** Resolves when all is well again. */
  run(stage: Stage): Promise<void>;
}

/** How much is done of everything. */
export interface Extent {
  isShort: boolean;
  kills: number;
  /** Of the broker, where there is one. */
  brokerKills: number;
}

const SPOILED_MS = { short: 1500, long: 2500 };
/** Until a process that was killed comes back, at the most. */
const AWAY_MS_MAX = { short: 600, long: 1500 };
const STOPPED_MS = 5000;
/** Longer than a request may take. */
const FROZEN_MS = 3000;
/** Longer than a broker's pings may stay unanswered; its connections are given up meanwhile. */
const STALE_MS = 20_000;
/** So long that a broker is looked for as seldom as ever. */
const LONG_AWAY_MS = 10_000;
const CUT_MS = 1500;
const RESETS = 5;
const RESET_EACH_MS = 300;

interface Mortal {
  kill(): Promise<void>;
  /** Again, where it was. */
  start(): Promise<void>;
}

/** Every other time nobody listens on its port meanwhile; otherwise connections just end. */
function killed(name: string, round: number, awayMsMax: number, who: (stage: Stage) => Mortal) {
  const isRefused = round % 2 === 0;
  return {
    name: `${name} killed, ${isRefused ? "refused" : "broken off"} meanwhile`,
    isDeath: true,
    run: async (stage: Stage) => {
      const { proxy, random } = stage;
      const mortal = who(stage);
      await mortal.kill();
      if (isRefused) await proxy.cut();
      await delay(random() * awayMsMax);
      await mortal.start();
      await proxy.mend();
    },
  };
}

/** Behind a broker, which stays: the gateway is not to notice. */
function killedBehind(awayMsMax: number): Fault {
  return {
    name: "service killed behind the broker",
    isDeath: true,
    run: async ({ instances, random }) => {
      await instances.kill();
      await delay(random() * awayMsMax);
      await instances.start();
    },
  };
}

function stopped(isBroker: boolean): Fault {
  return {
    name: `${isBroker ? "broker" : "service"} stopped for 5 s`,
    isDeath: false,
    run: async ({ instances, broker }) => {
      if (isBroker) await broker?.pause();
      else instances.signal("SIGSTOP");
      await delay(STOPPED_MS);
      if (isBroker) broker?.resume();
      else instances.signal("SIGCONT");
    },
  };
}

const resets: Fault = {
  name: "connections reset, again and again",
  isDeath: false,
  run: async ({ proxy }) => {
    for (let count = 0; count < RESETS; count += 1) {
      proxy.reset();
      await delay(RESET_EACH_MS);
    }
  },
};

const cut: Fault = {
  name: "cut off",
  isDeath: false,
  run: async ({ proxy }) => {
    await proxy.cut();
    await delay(CUT_MS);
    await proxy.mend();
  },
};

function frozen(ms: number): Fault {
  return {
    name: `sockets open, nothing forwarded for ${ms / 1000} s`,
    isDeath: false,
    run: async ({ proxy }) => {
      proxy.freeze();
      await delay(ms);
      await proxy.mend();
    },
  };
}

const brokerLongAway: Fault = {
  name: `broker killed, away for ${LONG_AWAY_MS / 1000} s`,
  isDeath: true,
  run: async ({ broker }) => {
    await broker?.kill();
    await delay(LONG_AWAY_MS);
    await broker?.restart();
  },
};

function spoiled(name: string, ms: number, spoiling: Partial<FaultProxy["spoiling"]>): Fault {
  return {
    name,
    isDeath: false,
    run: async ({ proxy }) => {
      proxy.spoiling = { ...CLEAN, ...spoiling };
      await delay(ms);
      await proxy.mend();
    },
  };
}

function behaving(behaviour: Behaviour, ms: number): Fault {
  return {
    name: `the service is ${behaviour}`,
    isDeath: false,
    run: async ({ instances }) => {
      instances.behave(behaviour);
      await delay(ms);
      instances.behave("well");
    },
  };
}

function planKills({ broker }: Carrier, { isShort, kills, brokerKills }: Extent): Fault[] {
  const awayMsMax = isShort ? AWAY_MS_MAX.short : AWAY_MS_MAX.long;
  const rounds = (count: number, fault: (round: number) => Fault) =>
    Array.from({ length: count }, (_, round) => fault(round));
  if (broker === "none") {
    return rounds(kills, (round) =>
      killed("service", round, awayMsMax, ({ instances }) => instances),
    );
  }
  const ofBroker = ({ broker: server }: Stage): Mortal => ({
    kill: async () => server?.kill(),
    start: async () => server?.restart(),
  });
  return [
    ...rounds(brokerKills, (round) => killed("broker", round, awayMsMax, ofBroker)),
    ...rounds(kills, () => killedBehind(awayMsMax)),
  ];
}

/** All of a run, in their order. */
export function planFaults(carrier: Carrier, extent: Extent): Fault[] {
  const spoiledMs = extent.isShort ? SPOILED_MS.short : SPOILED_MS.long;
  const { littleBytesPerSecond: bytesPerSecond } = carrier;
  return [
    ...planKills(carrier, extent),
    stopped(carrier.broker !== "none"),
    spoiled("latency of 50 to 150 ms", spoiledMs, { latencyMs: 50, jitterMs: 100 }),
    spoiled("little bandwidth", spoiledMs, { bytesPerSecond }),
    spoiled("single bytes", spoiledMs, { pieceBytes: 1 }),
    cut,
    frozen(FROZEN_MS),
    resets,
    ...(carrier.broker === "none" || extent.isShort ? [] : [brokerLongAway, frozen(STALE_MS)]),
    ...carrier.behaviours.map((behaviour) => behaving(behaviour, spoiledMs)),
  ];
}
