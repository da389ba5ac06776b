import { basename, dirname, join } from 'node:path'
import type { Entry } from '../../../model/entry.ts'
import { importedOrigins } from '../answers/imported-answers.ts'
import type { Layout } from '../layout.ts'
import { Origin } from '../origin.ts'
import { isTreeName } from '../own-names.ts'
import { type Remover, removeBelow, removeEmptyFolder, removeFiles } from '../remove-own.ts'
import { removeApiAnswers, removeRefs } from './remove-repo.ts'

/**
 * Removes the stored answers of an entry's endpoint about its commit. When no sibling (another entry of the repo) is of the same
 * endpoint, removes all answers of the endpoint about the repo. What archives state about it is removed, too.
 */
export async function removeAnswers(layout: Layout, entry: Entry, siblings: Entry[], remove: Remover): Promise<void> {
  const { endpoint } = entry
  if (endpoint !== undefined) {
    const isLast = !siblings.some((sibling) => sibling.endpoint === endpoint)
    await removeFrom(new Origin(layout, endpoint), entry, isLast, remove)
  }
  for (const origin of importedOrigins(layout)) await removeFrom(origin, entry, siblings.length === 0, remove)
}

async function removeFrom(origin: Origin, { repo, commit }: Entry, isLast: boolean, remove: Remover): Promise<void> {
  const layout = origin.cache
  await removeRefs(layout, origin, repo, (named) => isLast || named === commit, remove)
  for (const path of [origin.tree(repo, commit), origin.repoInfo(repo, commit)])
    await removeFiles(layout, dirname(path), [basename(path)], remove)
  if (!isLast) return
  for (const kind of ['trees', 'about']) await removeBelow(layout, join(origin.repo(repo), kind), isTreeName, remove)
  await removeEmptyFolder(layout, origin.repo(repo))
  await removeApiAnswers(layout, origin.api, repo)
}
