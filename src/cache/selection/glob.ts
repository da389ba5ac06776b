import picomatch from 'picomatch'

export type Matches = (path: string) => boolean

/** Returns a function that is true for paths which one of the globs matches. Throws picomatch's error for an invalid glob. */
export function pathMatcher(globs: string[]): Matches {
  return picomatch(globs, { dot: true })
}

/** Returns a matcher for names, which ignores case. A star matches slashes too: `*whisper*` matches `org/whisper-tiny`. */
export function nameMatcher(glob: string): Matches {
  return picomatch(glob, { bash: true, nocase: true, dot: true })
}
