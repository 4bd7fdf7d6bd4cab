/**
 * Closing many connections that somebody named: in slices, so that no close holds up the event
 * loop, and one after another in the order in which they came. A few are closed at once. What a
 * close says and how it settles is the departure's part.
 */
import { slotOf } from "../core/connection-id.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { Departure } from "./departure.ts";
import { SLICE_MS } from "./fanout.ts";

/** One takes some 60 µs: connections between two looks at the clock. */
const CLOCK_EVERY = 8;

interface Closure {
  /** Finds the places: when those before it are done, so that few lists are kept. */
  find: () => number[];
  sentence: string | undefined;
  places: number[] | undefined;
  next: number;
  resolve: (matched: number) => void;
}

export class Closing {
  readonly #reactor: Reactor;
  readonly #departure: Departure;
  /** The first one is under way. */
  readonly #closures: Closure[] = [];

  constructor(reactor: Reactor, departure: Departure) {
    this.#reactor = reactor;
    this.#departure = departure;
  }

  /** Resolves when all of them are closed or settling, with how many there were. */
  close(find: () => number[], sentence: string | undefined): Promise<number> {
    return new Promise((resolve) => {
      this.#closures.push({ find, sentence, places: undefined, next: 0, resolve });
      if (this.#closures.length === 1) this.#run();
    });
  }

  /** One slice's worth. */
  #run(): void {
    const endAtMs = performance.now() + SLICE_MS;
    for (;;) {
      const [closure] = this.#closures;
      if (closure === undefined) return;
      closure.places ??= closure.find();
      const { places } = closure;
      this.#closeUntil(endAtMs, closure, places);
      if (closure.next < places.length) break;
      this.#closures.shift();
      closure.resolve(places.length);
      if (performance.now() >= endAtMs) break;
    }
    if (this.#closures.length > 0) setImmediate(() => this.#run());
  }

  #closeUntil(endAtMs: number, closure: Closure, places: number[]): void {
    while (closure.next < places.length) {
      const place = places[closure.next] as number;
      closure.next += 1;
      // Its slot may be somebody else's by now.
      if (this.#reactor.isCurrent(place)) {
        this.#departure.disconnect(slotOf(place), "closed-by-service", closure.sentence);
      }
      if (closure.next % CLOCK_EVERY === 0 && performance.now() >= endAtMs) return;
    }
  }
}
