import picomatch from 'picomatch'

export type Matches = (path: string) => boolean

/** True for a path that one of the globs matches. Throws what picomatch has against them. */
export function pathMatcher(globs: string[]): Matches {
  return picomatch(globs, { dot: true })
}

/** A glob over names: a star stands for slashes too, `*whisper*` finds `org/whisper-tiny`. */
export function nameMatcher(glob: string): Matches {
  return picomatch(glob, { bash: true, nocase: true, dot: true })
}
