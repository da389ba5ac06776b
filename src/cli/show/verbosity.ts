import process from 'node:process'

let level: 'quiet' | 'normal' | 'verbose' = 'normal'

/** Sets how much the command prints, once, before it begins. `verbose` also has the engine, and a Vitest that we start, say each decision. */
export function setVerbosity({ quiet, verbose }: { quiet?: boolean; verbose?: boolean }): void {
  level = quiet ? 'quiet' : verbose ? 'verbose' : 'normal'
  if (verbose) process.env.MODEL_CACHE_DEBUG = '1'
}

/** True where progress and lines about what was done are left out. */
export function isQuiet(): boolean {
  return level === 'quiet'
}

export function isVerbose(): boolean {
  return level === 'verbose'
}
