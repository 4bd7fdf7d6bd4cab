/**
 * The carriers that a run can be made over, one entry each: how an instance of the service is
 * started, and what the gateway is told of it. What an instance takes from the run is the same
 * for all: a port and a file for its record as parameters, and over IPC how to behave.
 */

/**
 * "twice": every message is answered twice; "nonsense": the first attempt of each message gets an
 * answer that is none, or a failure; "dawdling": answers are late and overtake each other.
 */
export type Behaviour = "well" | "twice" | "nonsense" | "dawdling";

export interface Carrier {
  /** The program of an instance, beside this file. */
  program: string;
  /** What it can do, of the ways to behave. */
  behaviours: readonly Behaviour[];
  /** YAML of `hubs`, by name; each is at the path of its name. */
  hubs: (port: number) => Record<string, string>;
}

/** More than one attempt fits into any of the outages. */
const LIMITS = "serviceTimeoutMs: 2000, serviceInflightMax: 64";

export const carriers: Readonly<Record<string, Carrier>> = {
  http: {
    program: "http-service.test.child.js",
    behaviours: ["twice", "nonsense", "dawdling"],
    hubs: (port) => {
      const service = `service: 'http://127.0.0.1:${port}/events', limits: { ${LIMITS} }`;
      return { single: service, batch: `${service}, batch: on` };
    },
  },
};

/** Sockets to the service that each hub of a worker may have at once. */
export const SOCKETS_PER_HUB_MAX = 64;
