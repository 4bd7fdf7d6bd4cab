/**
 * The carriers that a run can be made over, one entry each: how an instance of the service is
 * started, what the gateway is told of it, and what is promised. What an instance takes from the
 * run is the same for all: a port and a file for its record as parameters, and over IPC how to
 * behave. Nothing is started here.
 */
import type { Promised } from "../history.ts";

/**
 * "twice": every message is answered twice; "nonsense": the first attempt of each message gets an
 * answer that is none, or a failure; over NATS, where no answer fails a message, what cannot be
 * sent to a client goes in front of each answer. "dawdling": answers are late and overtake each
 * other.
 */
export type Behaviour = "well" | "twice" | "nonsense" | "dawdling";

export interface Carrier {
  /** The program of an instance, beside this file. */
  program: string;
  /** Behind the port and the file. */
  parameters: readonly string[];
  /** What it can do, of the ways to behave. */
  behaviours: readonly Behaviour[];
  /**
   * Whether a NATS server stands between the gateway and the service, and who keeps the events:
   * a "stream", or nobody. The way to it is spoiled, and its port is the one that instances get.
   */
  broker: "none" | "core" | "stream";
  /** YAML of `hubs`, by name; each is at the path of its name. */
  hubs: (port: number) => Record<string, string>;
  promised: Promised;
  /** How often an instance is killed. */
  kills: { short: number; long: number };
  /** Sockets to the service that each hub of a worker may have at once. */
  socketsPerHubMax: number;
  /** What is little for one of them. */
  littleBytesPerSecond: number;
  /** How lines of the log begin that say, by their count, what was given up or may be lost. */
  lossSentences: readonly string[];
}

const GIVEN_UP = "events were dropped";

/** More than one attempt fits into any of the outages. */
const LIMITS = "limits: { serviceTimeoutMs: 2000, serviceInflightMax: 64 }";

const overNats = {
  program: "nats-service.test.child.js",
  behaviours: ["twice", "nonsense"],
  kills: { short: 2, long: 50 },
  socketsPerHubMax: 1,
  littleBytesPerSecond: 200_000,
} as const;

export const carriers: Readonly<Record<string, Carrier>> = {
  http: {
    program: "http-service.test.child.js",
    parameters: [],
    behaviours: ["twice", "nonsense", "dawdling"],
    broker: "none",
    hubs: (port) => {
      const service = `service: 'http://127.0.0.1:${port}/events', ${LIMITS}`;
      return { single: service, batch: `${service}, batch: on` };
    },
    promised: { atLeastOnce: true, once: false, answersAcknowledge: true },
    kills: { short: 8, long: 50 },
    socketsPerHubMax: 64,
    littleBytesPerSecond: 20_000,
    lossSentences: [GIVEN_UP],
  },
  link: {
    program: "link-service.test.child.js",
    parameters: [],
    behaviours: ["twice", "nonsense", "dawdling"],
    broker: "none",
    hubs: (port) => ({ linked: `service: 'link://127.0.0.1:${port}', ${LIMITS}` }),
    promised: { atLeastOnce: true, once: false, answersAcknowledge: true },
    kills: { short: 8, long: 50 },
    socketsPerHubMax: 1,
    littleBytesPerSecond: 20_000,
    lossSentences: [GIVEN_UP],
  },
  jetstream: {
    ...overNats,
    parameters: ["at-least-once"],
    broker: "stream",
    hubs: (port) => ({ stored: natsHub(port, "at-least-once") }),
    promised: { atLeastOnce: true, once: true, answersAcknowledge: false },
    lossSentences: [GIVEN_UP],
  },
  nats: {
    ...overNats,
    parameters: ["at-most-once"],
    broker: "core",
    hubs: (port) => ({ told: natsHub(port, "at-most-once") }),
    promised: { atLeastOnce: false, once: true, answersAcknowledge: false },
    lossSentences: [
      GIVEN_UP,
      "no service has subscribed to this hub's messages",
      "events were published, and it is not known whether",
    ],
  },
};

function natsHub(port: number, delivery: string): string {
  return `service: { url: 'nats://127.0.0.1:${port}', delivery: ${delivery} }, ${LIMITS}`;
}
