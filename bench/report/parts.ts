/**
 * The parts of a page's figures. Each is of one run and says of which: the gateways with a service
 * behind them can be measured again without the servers, which take most of an hour.
 */
import { missingWorkloads, type Results } from "./results.ts";

export interface Part {
  /** In the markers of documents. */
  name: string;
  /** Above its targets. */
  heading: string;
  holds(workload: string): boolean;
}

const GATEWAYS = ["round-trip"];

const parts: readonly Part[] = [
  { name: "servers", heading: "Targets", holds: (name) => !GATEWAYS.includes(name) },
  {
    name: "gateways",
    heading: "Targets of a gateway with a service",
    holds: (name) => GATEWAYS.includes(name),
  },
];

/** The results of each part that was measured as a whole; `names` are those of all workloads. */
export function wholeParts(results: Results, names: string[]): [Part, Results][] {
  if (results.isQuick) return [];
  return parts
    .filter(({ holds }) => {
      const own = names.filter(holds);
      return own.length > 0 && missingWorkloads(results, own).length === 0;
    })
    .map((part) => [part, resultsOf(part, results)]);
}

function resultsOf({ holds }: Part, results: Results): Results {
  return { ...results, workloads: results.workloads.filter(({ name }) => holds(name)) };
}
