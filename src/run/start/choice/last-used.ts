import type { RunRecord } from '../../../cache/store/entries/runs.ts'
import type { Model } from '../../../model/model.ts'
import { parseRepoId } from '../../../model/repo-id.ts'
import { parseRevision } from '../../../model/revision.ts'
import { parseSelection } from '../../../model/selection.ts'

/** The models that a recorded run used. Uses that can't be read are left out. */
export function modelsUsedIn({ used }: RunRecord): Model[] {
  return used.flatMap((use) => modelOfUse(use) ?? [])
}

/** The model of one recorded use. Undefined when the record is damaged. */
export function modelOfUse({
  repo,
  revision,
  selection,
}: Pick<RunRecord['used'][number], 'repo' | 'revision' | 'selection'>): Model | undefined {
  try {
    const parsed = parseSelection(JSON.parse(selection))
    return parsed && { repo: parseRepoId(repo), revision: parseRevision(revision, repo), selection: parsed, pin: false }
  } catch {
    return undefined
  }
}
