import type { Entry } from '../../model/entry.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import { isDefaultSelection, type Selection } from '../../model/selection.ts'
import type { Tree } from '../../model/tree.ts'
import { isTransformersRepo, transformersFiles } from './transformers-files.ts'
import type { RepoConfig } from './transformers-sessions.ts'

/** By which rule the files were chosen, for the log. */
export type PlanRule = 'paths' | 'files' | 'task' | 'earlier runs' | 'own task' | 'default weights' | 'all files'

export interface Plan {
  files: HubPath[]
  rule: PlanRule
}

export interface PlanInput {
  selection: Selection
  tree: Tree
  /** The task of the repo's card, where it is known. */
  ownTask?: string
  /** What is cached at this commit. */
  entry?: Entry
  /** Reads the repo's `config.json`; only called when a task is planned. */
  readConfig: () => Promise<RepoConfig>
  asked: string
}

/** Which files of a repo a selection means. Throws `FILE_NOT_FOUND`. */
export async function planFiles(input: PlanInput): Promise<Plan> {
  const { selection, tree, ownTask, entry, asked } = input
  if (selection.paths !== undefined) return { rule: 'paths', files: exactFiles(tree, selection.paths, asked) }
  const isOptional = await matcher(selection.optional ?? [], asked)
  const matched = [
    ...(selection.files ? await matchFiles(tree, selection.files, asked) : []),
    ...[...tree.keys()].filter((path) => isOptional(path)),
  ]
  if (selection.task !== undefined) return { rule: 'task', files: unique([...(await taskFiles(input)), ...matched]) }
  if (selection.files !== undefined) return { rule: 'files', files: unique(matched) }
  if (isDefaultSelection(selection)) {
    const used = (entry?.selections ?? []).filter((past) => past.used).flatMap((past) => past.files)
    if (used.length > 0) return { rule: 'earlier runs', files: unique(used) }
  }
  // Where the card names no task, a tokenizer and a processor are taken if they are there; never every dtype.
  if (isTransformersRepo(tree)) return { rule: ownTask ? 'own task' : 'default weights', files: await taskFiles(input) }
  return { rule: 'all files', files: [...tree.keys()] }
}

function exactFiles(tree: Tree, paths: string[], asked: string): HubPath[] {
  const wanted = unique(paths.map((path) => parseHubPath(path, asked)))
  const missing = wanted.find((path) => !tree.has(path))
  if (missing === undefined) return wanted
  throw noSuchFile([...tree.keys()], missing, asked)
}

async function taskFiles({ selection, tree, ownTask, readConfig, asked }: PlanInput): Promise<HubPath[]> {
  const task = selection.task ?? ownTask ?? ''
  return transformersFiles(tree, await readConfig(), { ...selection, task }, asked)
}

/** The paths that match; each glob must match something, or a spelling mistake would pass for an empty model. */
async function matchFiles(tree: Tree, patterns: string[], asked: string): Promise<HubPath[]> {
  const paths = [...tree.keys()]
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'))
  const refused = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1))
  const isRefused = await matcher(refused, asked)
  const files: HubPath[] = []
  for (const pattern of wanted.length > 0 ? wanted : ['**']) {
    // A path that is there is meant as it is written, brackets and all.
    const isWanted = await matcher([pattern], asked)
    const found = paths.filter((path) => path === pattern || isWanted(path))
    if (found.length === 0) throw noSuchFile(paths, pattern, asked)
    files.push(...found)
  }
  return unique(files).filter((path) => refused.length === 0 || !isRefused(path))
}

/** What a glob may be made of; a name without any stands for itself. */
const GLOB = /[*?![\]{}()|+@\\"]|^\.\/|^$/

async function matcher(patterns: string[], asked: string): Promise<(path: string) => boolean> {
  if (!patterns.some((pattern) => GLOB.test(pattern))) return (path) => patterns.includes(path)
  const { pathMatcher } = await import('./glob.ts')
  try {
    return pathMatcher(patterns)
  } catch (error) {
    throw new ModelCacheError({
      code: 'INVALID_MODEL',
      asked,
      reason: `One of its globs is none: ${messageOf(error)}.`,
      nextStep: 'Write `files` as globs over the paths of the repo, such as `onnx/*.onnx`.',
      cause: error,
    })
  }
}

/** The error of a path, or a glob, for which a repo has no file. */
export function noSuchFile(paths: HubPath[], pattern: string, asked: string): ModelCacheError {
  const shown = paths.slice(0, 8).join(', ')
  return new ModelCacheError({
    code: 'FILE_NOT_FOUND',
    asked,
    reason: `The repo has no file ${JSON.stringify(pattern)} at this commit.`,
    nextStep: `It has ${shown}${paths.length > 8 ? ` and ${paths.length - 8} more` : ''}: check the spelling.`,
  })
}

function unique(paths: HubPath[]): HubPath[] {
  return [...new Set(paths)]
}
