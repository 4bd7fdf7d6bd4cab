/**
 * The known word nearest to a mistyped one, by edits (insert, delete, replace, swap two
 * neighbours) that a hand makes; nothing when even the nearest is another word.
 */

/** Compared without regard to case, `-` and `_`, so that `ping_interval_ms` finds its key. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = fold(word);
  // A third of the letters wrong is still a typing mistake; more is another word.
  let bound = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  let found: string | undefined;
  for (const candidate of known) {
    const distance = editDistance(wanted, fold(candidate));
    if (distance < bound) {
      bound = distance;
      found = candidate;
    }
  }
  return found;
}

/** Optimal string alignment: Levenshtein's distance with swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replace = a[row - 1] === b[column - 1] ? 0 : 1;
      let distance = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + replace,
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) {
        distance = Math.min(distance, at(beforePrevious, column - 2) + 1);
      }
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, "");
}
