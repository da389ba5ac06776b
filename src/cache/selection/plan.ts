import type { Entry } from '../../model/entry.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import { isDefaultSelection, type Selection } from '../../model/selection.ts'
import type { Tree } from '../../model/tree.ts'
import { isTransformersRepo, transformersFiles } from './transformers-files.ts'
import type { RepoConfig } from './transformers-sessions.ts'

/** The rule by which the files were chosen. Shown in the log. */
export type PlanRule = 'paths' | 'files' | 'task' | 'earlier runs' | 'own task' | 'default weights' | 'all files'

/** The files of a selection. */
export interface Plan {
  files: HubPath[]
  rule: PlanRule
}

/** What a plan depends on. */
export interface PlanInput {
  selection: Selection
  tree: Tree
  /** The task that the repo's model card names, if it is known. */
  ownTask?: string
  /** The entry of the repo at this commit. */
  entry?: Entry
  /** Reads the repo's `config.json`. Called only when the plan depends on a task. */
  readConfig: () => Promise<RepoConfig>
  /** What was asked for, as error messages name it. */
  asked: string
}

/**
 * Chooses the files of a repo for a selection. Throws `FILE_NOT_FOUND` when the repo lacks a file that the selection needs, and
 * `INVALID_MODEL` for an invalid glob.
 */
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
  // Without a task, the plan has the tokenizer and the processor if the repo has them, and the weights of one dtype.
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

/** The paths that match. A glob without a match is an error, because it may be misspelled. */
async function matchFiles(tree: Tree, patterns: string[], asked: string): Promise<HubPath[]> {
  const paths = [...tree.keys()]
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'))
  const refused = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1))
  const isRefused = await matcher(refused, asked)
  const files: HubPath[] = []
  for (const pattern of wanted.length > 0 ? wanted : ['**']) {
    // An existing path matches itself, also when it has characters of a glob such as brackets.
    const isWanted = await matcher([pattern], asked)
    const found = paths.filter((path) => path === pattern || isWanted(path))
    if (found.length === 0) throw noSuchFile(paths, pattern, asked)
    files.push(...found)
  }
  return unique(files).filter((path) => refused.length === 0 || !isRefused(path))
}

/** Matches a pattern with special characters of globs. A pattern without them is a plain path. */
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
      reason: `One of its globs is not valid: ${messageOf(error)}.`,
      nextStep: 'Write `files` as globs over the paths of the repo, such as `onnx/*.onnx`.',
      cause: error,
    })
  }
}

/** The error for a path or glob that matches no file of the repo. */
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
