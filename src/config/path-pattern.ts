/**
 * The paths of a hub: segments that are literal or `:name`. Parses them and says whether two
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
 * True when some request matches both and neither is the more literal one in every segment: a
 * literal wins over a parameter, so `/a/b` may stand beside `/a/:x`, but `/a/:y` may not.
 */
export function isAmbiguous(a: PathPattern, b: PathPattern): boolean {
  if (a.length !== b.length) return false;
  let aIsNarrower = false;
  let bIsNarrower = false;
  for (const [index, ofA] of a.entries()) {
    const ofB = b[index] ?? "";
    const aIsParameter = ofA.startsWith(":");
    const bIsParameter = ofB.startsWith(":");
    if (!aIsParameter && !bIsParameter && ofA !== ofB) return false;
    if (bIsParameter && !aIsParameter) aIsNarrower = true;
    if (aIsParameter && !bIsParameter) bIsNarrower = true;
  }
  return aIsNarrower === bIsNarrower;
}
