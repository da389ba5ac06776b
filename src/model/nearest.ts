/**
 * The name that was probably meant: the one with the fewest single-letter changes, or else the only one that contains the given
 * word. Upper and lower case count as equal; `-` and `_` are ignored. Undefined if no name is close. A pure function.
 */
export function nearest(given: string, names: readonly string[]): string | undefined {
  const wanted = plain(given)
  const ranked = names.map((name) => ({ name, changes: changesBetween(wanted, plain(name)) }))
  const best = ranked.sort((a, b) => a.changes - b.changes)[0]
  if (!best) return undefined
  if (best.changes <= Math.min(3, Math.floor(wanted.length / 2.5))) return best.name
  const containing = wanted.length >= 3 ? names.filter((name) => plain(name).includes(wanted)) : []
  return containing.length === 1 ? containing[0] : undefined
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '')
}

/** The number of letters to insert, remove, replace or swap with their neighbour (optimal string alignment). */
function changesBetween(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (list: number[], index: number) => list[index] ?? 0
      const isSame = a[i - 1] === b[j - 1]
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const least = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (isSame ? 0 : 1))
      row.push(isSwapped ? Math.min(least, at(beforeLast, j - 2) + 1) : least)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
