import { type History, historyKey, type KnownFile, type KnownUse, NO_FILE, useKey } from '../history.ts'

/** A model counts as used by a test file until this many whole runs of the file did not use it. */
const RUNS_KEPT = 3
/** The largest number of test files in a history. Those that ran last are kept. */
const FILES_KEPT = 5_000

/** A test file of a finished run. */
export interface LearnedFile {
  /** Relative to the project's root. */
  testFile: string
  /** True if all of its tests ran and passed, and no other test file loaded a model for it. */
  isWhole: boolean
  /** The digest of what its sources named before the run. Undefined if they were not read. */
  sources?: string
}

/** A model that a test file requested. */
export interface LearnedUse extends Omit<KnownUse, 'runsSince'> {
  testFile: string
}

/** The history after a run. `testNamePattern`: only tests with such names ran. Pure. */
export function learn(
  before: History,
  { files, uses, testNamePattern }: { files: LearnedFile[]; uses: LearnedUse[]; testNamePattern?: string },
): History {
  const after = new Map(before)
  const whole = new Map<string, boolean>()
  // Projects that share a record may run the same file.
  for (const { testFile, isWhole } of files) whole.set(testFile, isWhole && (whole.get(testFile) ?? true))
  whole.set(NO_FILE, true)
  const sources = new Map(files.map(({ testFile, sources }) => [testFile, sources]))
  const byFile = new Map<string, LearnedUse[]>([...whole.keys()].map((testFile) => [testFile, []]))
  for (const use of uses) {
    const testFile = byFile.has(use.testFile) ? use.testFile : NO_FILE
    byFile.get(testFile)?.push(use)
  }
  for (const [testFile, ofFile] of byFile) {
    const key = testFile === NO_FILE ? NO_FILE : historyKey(testFile, testNamePattern)
    const known = learnFile(before.get(key), whole.get(testFile) ?? false, ofFile, sources.get(testFile))
    // The last key is that of the file that ran last.
    after.delete(key)
    after.set(key, known)
  }
  return new Map([...after].slice(-FILES_KEPT))
}

function learnFile(
  before: KnownFile | undefined,
  isWhole: boolean,
  uses: LearnedUse[],
  sources: string | undefined,
): KnownFile {
  const known = new Map<string, KnownUse>()
  for (const { repo, revision, selection, bytes } of uses)
    known.set(useKey({ repo, revision, selection }), { repo, revision, selection, bytes, runsSince: 0 })
  // A file that names other models than before is another file: what it used before says nothing.
  const isAnother = isWhole && sources !== undefined && before?.sources !== undefined && sources !== before.sources
  for (const use of isAnother ? [] : (before?.uses ?? [])) {
    const runsSince = use.runsSince + (isWhole ? 1 : 0)
    if (!known.has(useKey(use)) && runsSince < RUNS_KEPT) known.set(useKey(use), { ...use, runsSince })
  }
  const kept = isWhole ? sources : before?.sources
  return {
    isWhole: isWhole || (before?.isWhole ?? false),
    uses: [...known.values()],
    ...(kept !== undefined && { sources: kept }),
  }
}
