/**
 * Names of options that are none. Types refuse them; a program without types would otherwise go
 * without what it asked for: `signingKeys` for `keys` would take events that nobody signed.
 */

/** What is wrong with the first such name, or undefined. `where` is in front of it. */
export function findUnknown(
  where: string,
  options: object,
  names: Readonly<Record<string, true>>,
): string | undefined {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (unknown === undefined) return undefined;
  return `there is no option ${where}${unknown}; there are ${Object.keys(names).join(", ")}`;
}
