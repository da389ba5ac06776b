/** An object of a store can't be used. The message says why, as a sentence. Whoever reads the object goes on without it. */
export class UnusableObject extends Error {
  override readonly name = 'UnusableObject'
}

/** Throws `UnusableObject` if the version of an object's format is not the known one. */
export function checkVersion(version: unknown, known: number): void {
  if (version === known) return
  const isNewer = typeof version === 'number' && version > known
  throw new UnusableObject(isNewer ? 'A newer version of this package wrote it.' : 'Its format has no known version.')
}
