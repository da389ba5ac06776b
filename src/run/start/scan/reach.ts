import { type KeptFile, targetsOf } from '../kept-sources.ts'

type Files = ReadonlyMap<string, KeptFile>

/** These files, and what they import at any distance, as far as it `counts`. */
export function reachedFrom(keys: string[], files: Files, counts = (_: string) => true): Set<string> {
  const reached = new Set(keys)
  for (const key of reached) for (const target of targetsOf(files.get(key))) if (counts(target)) reached.add(target)
  return reached
}

/** These files, and those from which imports lead to one of them. */
export function leadingTo(keys: Iterable<string>, files: Files): Set<string> {
  const importers = new Map<string, string[]>()
  for (const [key, file] of files)
    for (const target of targetsOf(file)) {
      const known = importers.get(target)
      if (known) known.push(key)
      else importers.set(target, [key])
    }
  const leading = new Set(keys)
  for (const key of leading) for (const importer of importers.get(key) ?? []) leading.add(importer)
  return leading
}
