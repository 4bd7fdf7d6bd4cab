/**
 * Order for carriers that have none of their own: the events of one connection one after the
 * other, those of different ones at the same time. An event that is delivered again while it is
 * under way is not run twice, and both deliveries have its outcome.
 */

interface Line {
  readonly underWay: Map<string, Promise<unknown>>;
  tail: Promise<unknown>;
}

export class ConnectionLines {
  /** Only of connections that wait for a handler. */
  readonly #lines = new Map<string, Line>();

  /**
   * `work` of one event gives one type of result on every carrier, and neither throws nor rejects.
   * Where it returns no promise, neither does this.
   */
  run<Result>(
    connectionId: string,
    eventId: string,
    work: () => Result | Promise<Result>,
  ): Result | Promise<Result> {
    const line = this.#lines.get(connectionId);
    if (line === undefined) {
      const result = work();
      if (!(result instanceof Promise)) return result;
      const opened = { underWay: new Map(), tail: result };
      this.#lines.set(connectionId, opened);
      return this.#follow(connectionId, opened, eventId, result);
    }
    const same = line.underWay.get(eventId);
    if (same !== undefined) return same as Promise<Result>;
    return this.#follow(connectionId, line, eventId, line.tail.then(work));
  }

  /** When the last of what is under way for it is over. */
  tailOf(connectionId: string): Promise<unknown> | undefined {
    return this.#lines.get(connectionId)?.tail;
  }

  #follow<Result>(connectionId: string, line: Line, eventId: string, result: Promise<Result>) {
    const followed = result.finally(() => {
      line.underWay.delete(eventId);
      if (line.underWay.size === 0) this.#lines.delete(connectionId);
    });
    line.underWay.set(eventId, followed);
    line.tail = followed;
    return followed;
  }
}
