import { relative } from 'node:path'
import type { TestSequencer, TestSpecification, Vitest } from 'vitest/node'
import type { Session } from '../run/session.ts'
import { readyFirst } from '../run/start/prefetch/ready-first.ts'

const prepared = new WeakSet<Vitest>()

/**
 * Has the next run begin with the test files that wait for no model, then run those whose models are expected first. Within each of these
 * groups the order is that of Vitest. A sequencer that has a `sort` of its own keeps its order.
 *
 * The class of Vitest that has `sort` gets another one, until this Vitest has called it. Vitest 4 makes the sequencer before the global
 * setup, and keeps it to itself.
 */
export function runReadyFirst(vitest: Vitest, session: Session): void {
  const owner = vitestsSort(vitest.config.sequence.sequencer.prototype)
  if (!owner || prepared.has(vitest)) return
  prepared.add(vitest)
  const { sort } = owner
  const sortByRank: typeof sort = async function (this: TestSequencer, specifications: TestSpecification[]) {
    const sorted = await sort.call(this, specifications)
    // A second Vitest in this process has the same class.
    if (specifications[0]?.project.vitest !== vitest) return sorted
    // If that one has replaced `sort` since, its `sort` stays.
    if (owner.sort === sortByRank) owner.sort = sort
    prepared.delete(vitest)
    return byRank(session, sorted)
  }
  owner.sort = sortByRank
}

/** The prototype of Vitest's own class that has the `sort` of a sequencer. Undefined if the `sort` is the user's own. */
function vitestsSort(prototype: object): TestSequencer | undefined {
  const owner = ownerOfSort(prototype)
  // Vitest does not export both classes.
  return ['BaseSequencer', 'RandomSequencer'].includes(owner?.constructor.name ?? '') ? owner : undefined
}

function ownerOfSort(prototype: object | null): TestSequencer | undefined {
  if (!prototype) return undefined
  return Object.hasOwn(prototype, 'sort') && isSequencer(prototype)
    ? prototype
    : ownerOfSort(Reflect.getPrototypeOf(prototype))
}

function isSequencer(prototype: object): prototype is TestSequencer {
  return 'sort' in prototype && 'shard' in prototype
}

function byRank(session: Session, specifications: TestSpecification[]): TestSpecification[] {
  return readyFirst(specifications, ({ project, moduleId }) => {
    const { root, prefetch } = session.projects.get(project) ?? {}
    return root === undefined ? 0 : (prefetch?.rankOf(relative(root, moduleId)) ?? 0)
  })
}
