import type { RunRecord } from '../cache/store/entries/runs.ts'
import { isCount, isObject, isText } from '../model/json.ts'

/**
 * Which models the test files of a project used in earlier runs, by `historyKey`. Each run record holds the history up to its run, so
 * that a run reads one record and not all of them.
 */
export type History = ReadonlyMap<string, KnownFile>

/** What earlier runs tell of one test file. */
export interface KnownFile {
  /** True once all tests of the file ran and passed. Otherwise the file may use more models than are known. */
  isWhole: boolean
  uses: KnownUse[]
  /** The digest of what its sources named in the last run in which all tests ran and passed. See `Named`. */
  sources?: string
}

export interface KnownUse {
  repo: string
  revision: string
  /** See `selectionKey`. */
  selection: string
  /** Bytes of the selected files. */
  bytes: number
  /** How many whole runs of the file did not use the model since. */
  runsSince: number
}

/** The history as JSON. A model that several test files use is listed once. */
interface StoredHistory {
  models: [repo: string, revision: string, selection: string, bytes: number][]
  files: [key: string, isWhole: 0 | 1, uses: [model: number, runsSince: number][], sources: string | undefined][]
}

/** The number of earlier runs that count as the last runs. */
export const RUNS_BACK = 3

/** The key of requests that belong to no test file, such as those of a global setup. */
export const NO_FILE = ''

/**
 * The key of a test file, relative to the project's root. A run with a pattern for the names of tests tells nothing about the
 * other tests of the file, so it has a key of its own.
 */
export function historyKey(testFile: string, testNamePattern?: string): string {
  return testNamePattern === undefined ? testFile : `${testFile} -t ${testNamePattern}`
}

/** What is known of the tests of a file that run. */
export function knownOf(history: History, testFile: string, testNamePattern?: string): KnownFile | undefined {
  return history.get(historyKey(testFile, testNamePattern)) ?? history.get(testFile)
}

/** The key of the model selection that a use requested. */
export function useKey({ repo, revision, selection }: Pick<KnownUse, 'repo' | 'revision' | 'selection'>): string {
  return `${repo}@${revision} ${selection}`
}

/** The history in a run record, which is outside input. Undefined if an older version wrote the record. Damaged parts are left out. */
function readHistory({ history }: RunRecord): History | undefined {
  if (!isObject(history) || !Array.isArray(history.models) || !Array.isArray(history.files)) return undefined
  const models = history.models.map(modelIn)
  return new Map(history.files.flatMap((file) => fileIn(file, models)))
}

/** What the last runs tell, the newest first. Undefined if there was no run. */
export function historyOf(lastRuns: RunRecord[]): History | undefined {
  for (const run of lastRuns) {
    const history = readHistory(run)
    if (history) return history
  }
  return lastRuns.length === 0 ? undefined : historyBefore(lastRuns)
}

/** From records of an older version. They do not say whether a test file ran in whole. */
function historyBefore(lastRuns: RunRecord[]): History {
  const files = new Map<string, KnownFile>()
  for (const { repo, revision, selection, testFiles } of lastRuns.flatMap(({ used }) => used))
    for (const testFile of testFiles) {
      const known = files.get(testFile) ?? { isWhole: false, uses: [] }
      known.uses.push({ repo, revision, selection, bytes: 0, runsSince: 0 })
      files.set(testFile, known)
    }
  return files
}

function modelIn(model: unknown): Omit<KnownUse, 'runsSince'> | undefined {
  if (!Array.isArray(model)) return undefined
  const [repo, revision, selection, bytes]: unknown[] = model
  return isText(repo) && isText(revision) && isText(selection) && isCount(bytes)
    ? { repo, revision, selection, bytes }
    : undefined
}

function fileIn(file: unknown, models: ReturnType<typeof modelIn>[]): [string, KnownFile][] {
  if (!Array.isArray(file)) return []
  const [key, isWhole, uses, sources]: unknown[] = file
  if (!isText(key) || !Array.isArray(uses)) return []
  const known = uses.map((use: unknown) => {
    const [index, runsSince]: unknown[] = Array.isArray(use) ? use : []
    const model = isCount(index) ? models[index] : undefined
    return model && isCount(runsSince) ? { ...model, runsSince } : undefined
  })
  const read = known.filter((use) => use !== undefined)
  // A file of which a part can't be read counts as not known in whole.
  const isKnown = isWhole === 1 && read.length === uses.length
  return [[key, { isWhole: isKnown, uses: read, ...(isText(sources) && { sources }) }]]
}

export function storeHistory(history: History): StoredHistory {
  const models: StoredHistory['models'] = []
  const indexes = new Map<string, number>()
  const indexOf = (use: KnownUse) => {
    const { repo, revision, selection, bytes } = use
    const key = useKey(use)
    const index = indexes.get(key) ?? models.push([repo, revision, selection, bytes]) - 1
    indexes.set(key, index)
    return index
  }
  const files = [...history].map(([key, { isWhole, uses, sources }]): StoredHistory['files'][number] => [
    key,
    isWhole ? 1 : 0,
    uses.map((use) => [indexOf(use), use.runsSince]),
    sources,
  ])
  return { models, files }
}
