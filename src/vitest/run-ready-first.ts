import { relative } from 'node:path'
import type { TestSpecification, Vitest } from 'vitest/node'
import type { Session } from '../run/session.ts'

const prepared = new WeakSet<Vitest>()

/**
 * Has the next run begin with the test files that wait for no model, then run those whose models are expected first. Otherwise the order
 * is that of the sequencer.
 *
 * The class of the sequencer gets another `sort`, until Vitest has called it. Vitest 4 makes the sequencer before the global setup, and
 * keeps it to itself.
 */
export function runReadyFirst(vitest: Vitest, session: Session): void {
  const { prototype } = vitest.config.sequence.sequencer
  if (prepared.has(vitest)) return
  prepared.add(vitest)
  const own = Reflect.getOwnPropertyDescriptor(prototype, 'sort')
  const { sort } = prototype
  const restore = () =>
    own ? Reflect.defineProperty(prototype, 'sort', own) : Reflect.deleteProperty(prototype, 'sort')
  const value: typeof sort = async function (this: typeof prototype, specifications: TestSpecification[]) {
    const sorted = await sort.call(this, specifications)
    // A second Vitest in this process can have the same class.
    if (specifications[0]?.project.vitest !== vitest) return sorted
    restore()
    prepared.delete(vitest)
    // Only now: a run that begins removes the listeners of the run before.
    vitest.onCancel(() => release(session))
    return readyFirst(session, sorted)
  }
  Reflect.defineProperty(prototype, 'sort', { value, configurable: true, writable: true })
}

function readyFirst(session: Session, specifications: TestSpecification[]): TestSpecification[] {
  const ranked = specifications.map((specification) => {
    const { project, moduleId } = specification
    const { root, prefetch } = session.projects.get(project) ?? {}
    return { specification, rank: root === undefined ? 0 : (prefetch?.rankOf(relative(root, moduleId)) ?? 0) }
  })
  return ranked.sort((a, b) => a.rank - b.rank).map(({ specification }) => specification)
}

function release(session: Session): void {
  for (const { prefetch } of session.projects.values()) prefetch?.release()
}
