/** What was looked at, and what is to be done about it. */
export interface Check {
  name: string
  level: 'ok' | 'warn' | 'fail'
  text: string
  /** What to do; undefined where all is well. */
  next?: string
}

export function ok(name: string, text: string): Check {
  return { name, level: 'ok', text }
}

/** It works, and something is not as it should be. */
export function warn(name: string, text: string, next: string): Check {
  return { name, level: 'warn', text, next }
}

/** It does not work like this. */
export function fail(name: string, text: string, next: string): Check {
  return { name, level: 'fail', text, next }
}
