/** The results of several rounds. */
export interface Sample {
  median: number
  min: number
  max: number
  rounds: number
}

/**
 * Measures several ways to do one thing alternately (A B B A), so that other load of the machine affects all of them. The first
 * round of each is dropped: it fills the caches of the system.
 */
export async function interleave<Name extends string, Value>(
  ways: Record<Name, () => Promise<Value>>,
  rounds: number,
): Promise<Record<Name, Value[]>> {
  const names = Object.keys(ways) as Name[]
  const values = Object.fromEntries(names.map((name) => [name, [] as Value[]])) as Record<Name, Value[]>
  for (let round = 0; round <= rounds; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const value = await ways[name]()
      if (round > 0) values[name].push(value)
    }
  return values
}

export function sample(values: number[]): Sample {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2
  return { median, min: at(0), max: at(sorted.length - 1), rounds: sorted.length }
}

/** The ratios of alternate rounds: a temporary load of the machine affects both rounds of a pair. */
export function paired(ours: number[], theirs: number[]): Sample {
  return sample(ours.map((value, index) => value / (theirs[index] ?? Number.NaN)))
}
