/**
 * What Headgate is meant to reach, each beside the figures that tell. Every target is a ratio of
 * one run or a count that the machine has little part in, but for those in milliseconds.
 */
import type { FindSamples, Target } from "./judge.ts";

const OWN = "Headgate";
const FLOOR = "floor";
const UWS = "uWebSockets.js";

interface Ratio {
  workload: string;
  what: string;
  scenario: string;
  own?: string;
  base: string;
  bound?: NonNullable<Target["bound"]>;
}

/** Of the costs of the same round. */
function ratio({ workload, what, scenario, own = OWN, base, bound }: Ratio): Target {
  const values = (find: FindSamples) => pairs(find, scenario, own, base, "cost", (a, b) => a / b);
  return { workload, what, unit: " ×", digits: 2, values, ...(bound && { bound }) };
}

interface Count {
  workload: string;
  what: string;
  scenario: string;
  own?: string;
  key: string;
  unit: string;
  digits?: number;
  bound?: NonNullable<Target["bound"]>;
}

function count({ scenario, own = OWN, key, digits = 0, ...described }: Count): Target {
  const values = (find: FindSamples) => find(scenario, own).flatMap((sample) => sample[key] ?? []);
  return { ...described, digits, values };
}

function pairs(
  find: FindSamples,
  scenario: string,
  own: string,
  base: string,
  key: string,
  relate: (own: number, base: number) => number,
): number[] {
  const others = find(scenario, base);
  return find(scenario, own).flatMap((sample, round) => {
    const [mine, other] = [sample[key], others[round]?.[key]];
    return mine === undefined || other === undefined ? [] : [relate(mine, other)];
  });
}

/** The echo's scenarios, with what is asked against others at the same size. */
const sizes = [
  { size: "20 B", scenario: "20 B, 500 connections", others: 0.85 },
  { size: "125 B, 8 in flight", scenario: "125 B, 500 connections, 8 in flight", others: 0.7 },
  { size: "1 KiB", scenario: "1 KiB, 500 connections", others: 0.85 },
  { size: "16 KiB", scenario: "16 KiB, 100 connections", others: 0.7 },
];
const largest = { size: "1 MiB", scenario: "1 MiB, 20 connections", others: 1 };

const echo: Target[] = [
  ...sizes.flatMap(({ size, scenario }) => {
    const base = { workload: "echo", base: FLOOR };
    const what = `Echo, ${size}: CPU against the floor`;
    return [
      ratio({ ...base, what, scenario, bound: { most: 1.15, goal: 1.1 } }),
      ratio({ ...base, what: `… as text`, scenario: `${scenario}, text` }),
    ];
  }),
  ...[UWS, "Bun"].flatMap((base) =>
    [...sizes, largest].map(({ size, scenario, others }) => {
      const what = `Echo, ${size}: CPU against ${base}`;
      return ratio({ workload: "echo", what, scenario, base, bound: { most: others } });
    }),
  ),
  {
    workload: "echo",
    what: "Echo, 20 B: user part above the floor's",
    bound: { most: 0.8 },
    unit: " µs",
    digits: 2,
    values: (find) =>
      pairs(find, "20 B, 500 connections", OWN, FLOOR, "userUs", (own, floor) => own - floor),
  },
];

const ANONYMOUS = "anonymous";
const NAMED = "with a user and a group";
const idle: Target[] = [
  ...[ANONYMOUS, NAMED, "with a user and a group of 100"].flatMap((scenario) => {
    const bound = { most: scenario === ANONYMOUS ? 256 : 512 };
    const base = { workload: "idle", scenario, unit: " B", bound };
    const what = `Idle connection, ${scenario}: memory`;
    return [
      count({ ...base, what: `${what}, untouched`, key: "cost" }),
      count({ ...base, what: `${what}, after one message`, key: "touched" }),
    ];
  }),
  ...[
    { what: "with `echo:`", scenario: ANONYMOUS, most: 60 },
    { what: "with an HTTP service", scenario: NAMED, most: 75 },
  ].map(({ what, scenario, most }) =>
    count({
      workload: "idle",
      what: `Empty worker ${what}: resident memory`,
      ...{ scenario, key: "emptyMegabytes", unit: " MB", bound: { most } },
    }),
  ),
];

const burst = "128 B to 10,000, 16 at once";
const fanOut: Target[] = [
  ...["128 B to 10,000", "4 KiB to 10,000"].flatMap((scenario) => {
    const base = { workload: "fan-out", scenario, base: FLOOR, bound: { most: 1.1 } };
    const what = `Fan-out, ${scenario}: CPU against a loop of \`send\``;
    return [
      ratio({ ...base, what }),
      ratio({ ...base, what: "… to a group", own: "Headgate, to a group" }),
    ];
  }),
  ...[OWN, UWS].map((own) =>
    count({
      workload: "fan-out",
      what: own === OWN ? `Fan-out, ${burst}: deliveries for a second of CPU` : `… ${own}`,
      ...{ scenario: burst, own, key: "perCpuSecond", unit: "" },
      ...(own === OWN && { bound: { least: 1_500_000 } }),
    }),
  ),
];

const stalls: Target[] = ["128 B to 18,000", "4 KiB to 18,000", "64 KiB to 18,000"].map(
  (scenario) => ({
    workload: "stalls",
    what: `Longest turn of the loop in all rounds, pushing ${scenario}`,
    bound: { most: 10 },
    unit: " ms",
    digits: 1,
    // The worst of all rounds: a median of longest ones is no bound.
    values: (find) => {
      const turns = find(scenario, OWN).flatMap(({ turnMs }) => turnMs ?? []);
      return turns.length === 0 ? [] : [Math.max(...turns)];
    },
  }),
);

const proxies = ["nginx and ws", "haproxy and ws"];
const roundTrip: Target[] = [
  ...proxies.map((base) =>
    ratio({
      workload: "round-trip",
      what: `Round trip, 8 in flight, \`batch: on\`: CPU against ${base}`,
      ...{ scenario: "8 in flight", own: "Headgate, batch: on", base, bound: { less: 1 } },
    }),
  ),
  ...[
    { scenario: "8 in flight", most: 0.35 },
    { scenario: "one at a time, 500 connections", most: 0.5 },
  ].flatMap(({ scenario, most }) =>
    proxies.flatMap((base) => {
      const pair = { workload: "round-trip", scenario, base };
      const what = `Round trip, ${scenario}, over the link: CPU against ${base}`;
      return [
        ratio({ ...pair, what, own: "Headgate over the link", bound: { most } }),
        ratio({ ...pair, what: "… over NATS", own: "Headgate over NATS" }),
      ];
    }),
  ),
];

const growth: Target[] = [
  { own: "19,000", base: "1,000" },
  { own: "100,000 on 6 workers", base: "1,000" },
  { own: "100,000 on 6 workers", base: "1,000 on 6 workers" },
].flatMap(({ own, base }) => {
  const what = `Growth, from ${base} to ${own}: CPU for a message`;
  const pair = { workload: "growth", own, base };
  return [
    ratio({ ...pair, what, scenario: OWN, bound: { most: 1.15 } }),
    ratio({ ...pair, what: "… the floor", scenario: FLOOR }),
  ];
});

const held = "200,000 connections";
const holding: Target[] = [
  count({
    workload: "hold",
    what: `${held} over workers: opened within`,
    ...{ scenario: held, key: "cost", unit: " s", digits: 1, bound: { most: 60 } },
  }),
  ...["refused", "lost"].map((key) =>
    count({
      workload: "hold",
      what: `… ${key}`,
      ...{ scenario: held, key, unit: "", bound: { most: 0 } },
    }),
  ),
  count({
    workload: "hold",
    what: "… pinged",
    ...{ scenario: held, key: "pinged", unit: "", bound: { least: 200_000 } },
  }),
];

export const targets: Target[] = [
  ...echo,
  ...idle,
  ratio({
    workload: "handshakes",
    what: `Handshake: CPU against ${UWS}`,
    ...{ scenario: "100 at once", base: UWS, bound: { most: 1 } },
  }),
  ...fanOut,
  ...stalls,
  ratio({
    workload: "latency",
    what: `Latency at half of saturation: p99 against ${UWS}`,
    ...{ scenario: "10,000 connections", base: UWS, bound: { most: 1.5 } },
  }),
  ...roundTrip,
  ...growth,
  ...holding,
];
