/**
 * The query of a request's target as a service is told it: all values of each name, in order. It
 * is read as a form (`+` is a space), and what is no percent-encoded UTF-8 is left as it is.
 */

/** `query` is what stands behind the first question mark. The object has no prototype. */
export function parseQuery(query: string): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null);
  // A question mark that the query itself begins with would be taken for the target's.
  for (const [name, value] of new URLSearchParams(`?${query}`)) {
    const known = values[name];
    if (known === undefined) values[name] = [value];
    else known.push(value);
  }
  return values;
}
