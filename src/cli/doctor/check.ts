/** The result of one check, and what to do about it. */
export interface Check {
  name: string
  level: 'ok' | 'warn' | 'fail'
  text: string
  /** What to do. Undefined if the check is ok. */
  next?: string
}

export function ok(name: string, text: string): Check {
  return { name, level: 'ok', text }
}

/** It works, but something should be improved. */
export function warn(name: string, text: string, next: string): Check {
  return { name, level: 'warn', text, next }
}

/** It does not work. */
export function fail(name: string, text: string, next: string): Check {
  return { name, level: 'fail', text, next }
}
