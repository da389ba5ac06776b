/** An object of a store can't be used. The message says why, as a sentence. Whoever reads the object goes on without it. */
export class UnusableObject extends Error {
  override readonly name: string = 'UnusableObject'
}

/** A newer version of this package wrote the object. */
export class NewerObject extends UnusableObject {
  override readonly name = 'NewerObject'
}

/** Throws `UnusableObject` if the version of an object's format is not the known one. */
export function checkVersion(version: unknown, known: number): void {
  if (version === known) return
  if (typeof version === 'number' && version > known)
    throw new NewerObject('A newer version of vitest-model-cache wrote it.')
  throw new UnusableObject('Its format has no known version.')
}
