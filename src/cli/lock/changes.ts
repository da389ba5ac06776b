import type { HubPath } from '../../model/hub-path.ts'
import { type LockedModel, printLockFile } from '../../model/lock-file.ts'
import { modelLabel } from '../../model/model.ts'
import { count } from '../../report/words.ts'

/** What a command does to one model of the lock file. */
export interface Change {
  action: 'added' | 'updated' | 'unchanged' | 'removed'
  /** As it is in the file before. */
  before?: LockedModel
  /** As it is in the file after. */
  after?: LockedModel
}

/** True if two statements are about the same model at the same endpoint. */
export function isSame(a: Pick<LockedModel, 'repo' | 'revision' | 'endpoint'>, b: typeof a): boolean {
  return a.repo === b.repo && a.revision === b.revision && a.endpoint === b.endpoint
}

/** Compares the models that a command has looked at. Pure. */
export function changeOf(before: LockedModel | undefined, after: LockedModel | undefined): Change {
  if (!before || !after) return { action: after ? 'added' : 'removed', before, after }
  const [old, now] = [before, after].map((model) => printLockFile({ models: [model] }))
  return { action: old === now ? 'unchanged' : 'updated', before, after }
}

/** Sorted as in the file. */
export function inOrder(changes: Change[]): Change[] {
  const label = ({ before, after }: Change) => [after ?? before].map((model) => model && modelLabel(model)).join()
  return [...changes].sort((a, b) => (label(a) < label(b) ? -1 : 1))
}

/** How many files were added, removed or changed. */
function filesIn({ files: before }: LockedModel, { files: after }: LockedModel): number {
  const paths = new Set([...before.keys(), ...after.keys()])
  const isChanged = (path: HubPath) =>
    before.get(path)?.digest !== after.get(path)?.digest || before.get(path)?.size !== after.get(path)?.size
  return [...paths].filter(isChanged).length
}

/** `~ org/name  0123456 → 89abcde, 2 files changed` */
export function changeLine({ action, before, after }: Change): string {
  const model = after ?? before
  if (!model) return ''
  const commit = model.commit.slice(0, 7)
  if (action === 'added') return `+ ${modelLabel(model)}  ${commit}, ${count(model.files.size, 'file')}`
  if (action === 'removed') return `- ${modelLabel(model)}  ${commit}`
  if (action === 'unchanged' || !before || !after) return `= ${modelLabel(model)}  ${commit}`
  return `~ ${modelLabel(model)}  ${before.commit.slice(0, 7)} → ${commit}, ${count(filesIn(before, after), 'file')} changed`
}

export function changeJson({ action, before, after }: Change): object {
  const { repo, revision, endpoint } = after ?? before ?? {}
  const changed = before && after ? filesIn(before, after) : (after ?? before)?.files.size
  return { repo, revision, endpoint, action, before: before?.commit ?? null, commit: after?.commit ?? null, changed }
}
