import { accessSync, constants } from 'node:fs'

/** The first of the paths that is a program. Undefined if none is. */
export function findProgram(paths: (string | undefined)[]): string | undefined {
  return paths.find(isExecutable)
}

function isExecutable(path: string | undefined): boolean {
  try {
    if (path) accessSync(path, constants.X_OK)
    return Boolean(path)
  } catch {
    return false
  }
}
