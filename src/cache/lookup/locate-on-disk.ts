import { readFileSync } from 'node:fs'
import type { Entry } from '../../model/entry.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import { describeModel, type Model } from '../../model/model.ts'
import { isDefaultSelection, selectionKey } from '../../model/selection.ts'
import type { Tree } from '../../model/tree.ts'
import type { CacheContext } from '../context/context.ts'
import { findInManifest } from '../context/manifest.ts'
import { planFiles } from '../selection/plan.ts'
import { parseRepoConfig } from '../selection/transformers-sessions.ts'
import { compareWithDisk, exactPaths, type Located } from './compare-with-disk.ts'
import { importedTree } from './imported-answers.ts'
import { resolveOnDisk } from './resolve-on-disk.ts'
import { treeOf } from './tree-of.ts'

/** Does the work of `locateOnDisk`, which loads this module only when the manifest lacks a model. */
export async function findOnDisk(context: CacheContext, model: Model): Promise<Located | undefined> {
  const known = await resolveOnDisk(context, model)
  if (!known?.trusted || !known.entry) return undefined
  const files =
    recordedSelection(known.entry, model) ?? (await planOnDisk(context, model, known.entry, known.received?.tree))
  const validation = await context.validation(known.entry)
  const located = files && (await compareWithDisk(context, known.entry, files, known.entry.files, validation))
  const warmed = findInManifest(context.options.manifest, { ...model, repo: known.repo })
  return located && { ...located, warmedInThisRun: warmed?.downloaded ?? false }
}

/** The recorded files of a selection. Undefined for a default selection once runs used the model: those uses then decide. */
function recordedSelection(entry: Entry, model: Model): HubPath[] | undefined {
  const paths = exactPaths(model)
  if (paths?.every((path) => entry.files.has(path))) return paths
  if (isDefaultSelection(model.selection) && entry.selections.some(({ used }) => used)) return undefined
  return entry.selections.find(({ key }) => key === selectionKey(model.selection))?.files
}

async function planOnDisk(
  context: CacheContext,
  model: Model,
  entry: Entry,
  received: Tree | undefined,
): Promise<HubPath[] | undefined> {
  // The stored listing of an entry whose endpoint is not known is not trusted. Offline, that of an archive is.
  const isOwn = entry.endpoint === context.origin.endpoint
  const imported = () => (context.options.offline ? importedTree(context, entry) : undefined)
  const stored = () => (isOwn ? treeOf(context, entry) : imported())
  const tree = received ?? (await stored())
  if (!tree) return undefined
  const asked = `Model ${describeModel(model)}`
  const config = parseHubPath('config.json', asked)
  let isPlannable = true
  const readConfig = async () => {
    if (!tree.has(config)) return {}
    const located = await compareWithDisk(context, entry, [config], entry.files, 'stat')
    isPlannable = located?.changed.length === 0
    const file = context.layout.file(entry.repo, entry.snapshot, config)
    return isPlannable ? parseRepoConfig(readFileSync(file, 'utf8')) : {}
  }
  try {
    const plan = await planFiles({ selection: model.selection, tree, ownTask: entry.task, entry, readConfig, asked })
    return isPlannable ? plan.files : undefined
  } catch (error) {
    // The plan depends on a `config.json` that is not cached. It has to be downloaded first.
    if (!isPlannable) return undefined
    throw error
  }
}
