import type { Vitest } from 'vitest/node'
import { newSession, type Session } from '../run/session.ts'
import { outputOf } from './output.ts'

// On the global object: with `projects`, Vite may evaluate the plugin's module once for each project, and each copy would
// have a map of its own.
const SESSIONS = Symbol.for('vitest-model-cache.sessions')

/** The session of a Vitest process. The first call makes it. */
export function openSession(vitest: Vitest): Session {
  const global: object = globalThis
  const holder: { [SESSIONS]?: WeakMap<Vitest, Session> } = global
  holder[SESSIONS] ??= new WeakMap()
  const known = holder[SESSIONS].get(vitest)
  if (known) return known
  const session = newSession(outputOf(vitest), vitest.config.watch)
  holder[SESSIONS].set(vitest, session)
  return session
}
