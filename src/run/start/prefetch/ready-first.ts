/**
 * Sorts the test files of a run: first those that wait for no model, then those whose models are expected first. Within each of these
 * groups the order stays. `rankOf`: see `Prefetch`.
 */
export function readyFirst<Item>(items: readonly Item[], rankOf: (item: Item) => number): Item[] {
  const ranked = items.map((item) => ({ item, rank: rankOf(item) }))
  return ranked.sort((a, b) => a.rank - b.rank).map(({ item }) => item)
}
