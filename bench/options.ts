/**
 * The command line of `npm run bench` as options, every one within its bounds. What is wrong is
 * said in one sentence that names what is allowed; nothing is measured for it.
 */
import { parseArgs } from "node:util";
import { HeadgateError } from "../src/core/error.ts";

export interface BenchCommand {
  /** Names of workloads; undefined for all of them. */
  only: string[] | undefined;
  rounds: number | undefined;
  seconds: number | undefined;
  /** The main ratios in a minute. */
  isQuick: boolean;
  /** Into docs/performance.md and the README too. */
  isPublished: boolean;
  /** Writes again what an earlier run found, and measures nothing. */
  from: string | undefined;
  skipsInstall: boolean;
  hold: { connections: number; seconds: number };
}

interface NumberBound {
  /** Above 0 where it is left out. */
  min?: number;
  max: number;
  isWhole: boolean;
}

export const roundsBound: NumberBound = { max: 60, isWhole: true };
export const secondsBound: NumberBound = { max: 60, isWhole: false };
const numbers = {
  rounds: roundsBound,
  seconds: secondsBound,
  "hold-connections": { max: 1_000_000, isWhole: true },
  "hold-seconds": { max: 600, isWhole: false },
};
const flags = ["quick", "publish", "skip-install"] as const;
const texts = ["only", "from"] as const;

const HOLD_CONNECTIONS = 200_000;
const HOLD_SECONDS = 120;

type NumberName = keyof typeof numbers;
type Values = Record<(typeof texts)[number] | NumberName, string | undefined> &
  Record<(typeof flags)[number], boolean | undefined>;

function usageError(sentence: string): HeadgateError {
  return new HeadgateError("HG_USAGE", sentence);
}

/** `names` are those of the workloads that there are. */
export function readBenchCommand(args: string[], names: string[]): BenchCommand {
  const values = parse(args);
  const only = values.only === undefined ? undefined : readNames(values.only, names);
  const isQuick = values.quick === true;
  const isPublished = values.publish === true;
  if (isPublished && isQuick) {
    throw usageError(
      "--publish and --quick exclude each other: a page has no figures of a quick run. " +
        "Leave one of them out.",
    );
  }
  const asked = (["only", "quick", ...Object.keys(numbers)] as (keyof Values)[]).find(
    (name) => values[name] !== undefined,
  );
  if (values.from !== undefined && asked !== undefined) {
    throw usageError(`--from measures nothing, so --${asked} has no part in it. Leave one out.`);
  }
  return {
    ...{ only, isQuick, isPublished, from: values.from },
    rounds: numberOf(values, "rounds"),
    seconds: numberOf(values, "seconds"),
    skipsInstall: values["skip-install"] === true,
    hold: {
      connections: numberOf(values, "hold-connections") ?? HOLD_CONNECTIONS,
      seconds: numberOf(values, "hold-seconds") ?? HOLD_SECONDS,
    },
  };
}

function parse(args: string[]): Values {
  const described = [
    ...[...texts, ...Object.keys(numbers)].map((name) => [name, { type: "string" }] as const),
    ...flags.map((name) => [name, { type: "boolean" }] as const),
  ];
  try {
    return parseArgs({ args, options: Object.fromEntries(described) }).values as Values;
  } catch (cause) {
    const known = described.map(([name]) => `--${name}`).join(", ");
    throw usageError(`${firstSentence(cause as Error)} There are ${known}.`);
  }
}

/** Behind the first, Node explains how positional arguments are written. */
function firstSentence({ message }: Error): string {
  return `${message.split(/\.\s/)[0]?.replace(/\.$/, "")}.`;
}

function readNames(text: string, names: string[]): string[] {
  return text.split(",").map((name) => {
    if (names.includes(name)) return name;
    throw usageError(`--only knows no "${name}"; there are ${names.join(", ")}.`);
  });
}

function numberOf(values: Values, name: NumberName): number | undefined {
  const text = values[name];
  return text === undefined ? undefined : readNumber(name, text, numbers[name]);
}

export function readNumber(name: string, text: string, bound: NumberBound): number {
  const { min, max, isWhole } = bound;
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const isWithin = value <= max && (min === undefined ? value > 0 : value >= min);
  if (isWithin && (!isWhole || Number.isInteger(value))) return value;
  const kind = isWhole ? `a whole number from ${min ?? 1}` : "a number above 0 and up";
  throw usageError(`--${name} ${text} is not ${kind} to ${max}.`);
}
