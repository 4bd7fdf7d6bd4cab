/**
 * The paths of a hub: segments that are literal or `:name`. Parses them and says which of many
 * could match the same request with no reason to prefer one; it matches no requests itself.
 */

/** A segment that begins with a colon is a parameter. */
export type PathPattern = readonly string[];

const LITERAL = /^[A-Za-z0-9._~!$&'+,;=@-]+$/;
const PARAMETER = /^:[A-Za-z_][A-Za-z0-9_]*$/;

/** The segments, none for `/`, or a sentence that says what is wrong. */
export function parsePathPattern(text: string): PathPattern | string {
  if (!text.startsWith("/")) return `must begin with "/", as in "/${text}"`;
  if (text === "/") return [];
  const segments = text.slice(1).split("/");
  const names = new Set<string>();
  for (const [index, segment] of segments.entries()) {
    if (segment === "") {
      if (index < segments.length - 1) return 'has an empty segment; remove one "/"';
      return 'ends in "/"; remove it';
    }
    if (segment === "." || segment === "..") return `has the segment "${segment}"; remove it`;
    if (!segment.startsWith(":")) {
      if (LITERAL.test(segment)) continue;
      return `the segment "${segment}" must be literal (letters, digits, - . _ ~) or a :name`;
    }
    if (!PARAMETER.test(segment)) {
      return `"${segment}" must be a colon and a name (letters, digits and _), as in ":room"`;
    }
    if (names.has(segment)) return `names "${segment}" twice; give each parameter its own name`;
    names.add(segment);
  }
  return segments;
}

/**
 * For each pattern the first one before it with which some request matches both and neither is
 * the more literal one in every segment: a literal wins over a parameter, so `/a/b` may stand
 * beside `/a/:x`, but `/a/:y` may not. It takes time for each pattern and form of pattern, and
 * not for each pair of patterns.
 */
export function ambiguities(patterns: readonly PathPattern[]): (number | undefined)[] {
  const forms = new Set(patterns.map(formOf));
  // By two forms and the literals where both have one: the first pattern of the first form.
  const firsts = new Map<string, number>();
  return patterns.map((pattern, index) => {
    const own = formOf(pattern);
    let first: number | undefined;
    for (const other of forms) {
      if (!areRivals(own, other)) continue;
      const literals = commonLiterals(pattern, other);
      const found = firsts.get(`${other} ${own} ${literals}`);
      if (found !== undefined && found < (first ?? index)) first = found;
      const key = `${own} ${other} ${literals}`;
      if (!firsts.has(key)) firsts.set(key, index);
    }
    return first;
  });
}

/** A character for each segment: `:` or `/`. */
function formOf(pattern: PathPattern): string {
  return pattern.map((segment) => (segment.startsWith(":") ? ":" : "/")).join("");
}

/** Whether neither form has a literal wherever the other has one, and more; or they are equal. */
function areRivals(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let aIsNarrower = false;
  let bIsNarrower = false;
  for (let index = 0; index < a.length; index++) {
    if (a[index] === b[index]) continue;
    if (a[index] === "/") aIsNarrower = true;
    else bIsNarrower = true;
  }
  return aIsNarrower === bIsNarrower;
}

/** Of the pattern, where the other form has a literal as well. */
function commonLiterals(pattern: PathPattern, form: string): string {
  const isCommon = (segment: string, index: number) =>
    form[index] === "/" && !segment.startsWith(":");
  return pattern.filter(isCommon).join("/");
}
