import { entryKey } from '../model/entry.ts'
import type { HubPath } from '../model/hub-path.ts'
import { modelKey } from '../model/model.ts'
import { selectionKey } from '../model/selection.ts'
import type { CacheContext } from './context/context.ts'
import type { Manifest, ManifestModel } from './context/manifest.ts'
import type { WarmResult } from './warm.ts'

const NOTHING_YET = { downloaded: false, files: [] }

/** Makes the manifest of a warm-up: with it, workers find the models without metadata. */
export async function makeManifest(context: CacheContext, results: WarmResult[]): Promise<Manifest> {
  const manifest: Manifest = { models: [], failures: [] }
  // When the folder is refused, the models are in a temporary cache, which the manifest does not describe.
  const metadata = context.refusal ? undefined : await context.metadata()
  const models = new Map<string, ManifestModel>()
  for (const result of results) {
    const { repo: name, revision } = result.model
    if ('error' in result) {
      const selection = selectionKey(result.model.selection)
      manifest.failures.push({ repo: name, revision, selection, error: result.error.toJSON() })
      continue
    }
    const { repo, commit, snapshot, files, tier } = result.cached
    const entry = await metadata?.find(entryKey({ repo, snapshot }))
    if (!entry) continue
    const id = modelKey({ repo, revision })
    const { access } = entry
    const whoElseWrites = await context.whoElseWrites(entry)
    const known = { repo, revision, commit, snapshot, access, whoElseWrites }
    const model = models.get(id) ?? { ...known, ...NOTHING_YET, names: [], selections: [] }
    if (!model.names.includes(name)) model.names.push(name)
    const key = selectionKey(result.model.selection)
    model.downloaded ||= tier === 'hub'
    // A worker need not read again what the warm-up verified in a read-only folder.
    const verified = (path: HubPath) => context.verifiedStamps.get(context.layout.file(repo, snapshot, path))
    model.files = [...entry.files].map(([path, file]) => [path, { ...file, ...verified(path) }])
    const selections = [
      { key, files: [...files.keys()] },
      ...entry.selections.map(({ key, files }) => ({ key, files })),
    ]
    for (const selection of selections)
      if (!model.selections.some(({ key }) => key === selection.key)) model.selections.push(selection)
    models.set(id, model)
  }
  return { ...manifest, models: [...models.values()] }
}
