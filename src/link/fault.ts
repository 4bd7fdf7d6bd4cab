/**
 * What a peer of the link can do wrong. A fault is returned and never thrown; the link is closed
 * with its name in the log, and nothing is lost by it: what was not acknowledged goes again.
 */

export interface LinkFault {
  readonly fault:
    | "frame-too-large"
    | "unknown-type"
    | "frame-cut-short"
    | "frame-too-long"
    | "not-utf8"
    | "wrong-value"
    | "out-of-place"
    | "too-many-acknowledged";
  /** A sentence for the log, without its subject's name. */
  readonly sentence: string;
}

/** A load and no `in`, which V8 looks up anew for every kind of frame. */
export function isFault(value: object): value is LinkFault {
  return (value as Partial<LinkFault>).fault !== undefined;
}
