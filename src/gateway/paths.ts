/**
 * Which hub a request path belongs to. Patterns are literal segments and `:name` parameters; a
 * literal is preferred to a parameter. The configuration has been checked for ambiguity.
 */

export interface PathMatch {
  hub: number;
  params: Readonly<Record<string, string>>;
}

interface Pattern {
  hub: number;
  segments: string[];
  literals: number;
}

export class PathRouter {
  readonly #literal = new Map<string, PathMatch>();
  readonly #patterns: Pattern[] = [];
  /** Whether those with more literals stand before those with fewer. */
  #inOrder = true;

  add(path: string, hub: number): void {
    const segments = path.split("/");
    const literals = segments.filter((segment) => !segment.startsWith(":")).length;
    if (literals === segments.length) this.#literal.set(path, { hub, params: {} });
    else this.#patterns.push({ hub, segments, literals });
    this.#inOrder = false;
  }

  /** The hub, and the parameters with their percent-encoding undone. */
  match(path: string): PathMatch | undefined {
    const literal = this.#literal.get(path);
    if (literal !== undefined) return literal;
    if (this.#patterns.length === 0) return undefined;
    if (!this.#inOrder) {
      this.#patterns.sort((a, b) => b.literals - a.literals);
      this.#inOrder = true;
    }
    const segments = path.split("/");
    for (const pattern of this.#patterns) {
      const params = matchSegments(pattern.segments, segments);
      if (params !== undefined) return { hub: pattern.hub, params };
    }
    return undefined;
  }
}

/** Literals are compared first: a path must not be decoded anew for each pattern that it is not. */
function matchSegments(pattern: string[], segments: string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const isOther = (expected: string, index: number) =>
    !expected.startsWith(":") && segments[index] !== expected;
  if (pattern.some(isOther)) return undefined;
  const params: Record<string, string> = Object.create(null);
  for (const [index, expected] of pattern.entries()) {
    if (!expected.startsWith(":")) continue;
    const value = decodeSegment(segments[index] as string);
    if (value === undefined || value === "") return undefined;
    params[expected.slice(1)] = value;
  }
  return params;
}

/** Undefined for what is no percent-encoded UTF-8: such a path matches nothing. */
function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
