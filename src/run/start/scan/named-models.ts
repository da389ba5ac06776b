import { selectedKey } from '../../../model/model.ts'
import { createHash } from '../../../platform/late-crypto.ts'
import type { NamedModels } from '../../queue.ts'
import { NOTHING_NAMED } from '../settled-sources.ts'
import type { Facts } from './facts.ts'
import { type Finding, Findings } from './findings.ts'
import type { Sources } from './values.ts'

interface Asked {
  /** The paths of the test files. */
  testFiles: string[]
  /** The paths of files that run before each test file. */
  setupFiles: string[]
  sources: Sources
  /** False if some of the files could not be read in time. */
  isWhole: boolean
  /** The addresses of Hubs. */
  bases: readonly string[]
  /** Only tests with such names run. */
  testNamePattern?: string
}

const TRANSFORMERS = /^pipeline$|from_pretrained$/

/** The loaders that a test replaces by a mock of a module. */
const MOCKED: [RegExp, RegExp][] = [
  [/^@(huggingface|xenova)\/transformers$/, TRANSFORMERS],
  [/^@huggingface\/hub$/, /^(downloadFile|snapshotDownload)$/],
]

/** In place of a digest where not all files could be read. */
const CUT = 'cut'

/** The models that each test file names. Left out are test files that could not be read: nothing is known of them. Pure. */
export function namedModels(asked: Asked): Map<string, NamedModels> {
  const { testFiles, setupFiles, sources, bases, testNamePattern } = asked
  const findings = new Findings(sources, bases)
  const counts = (path: string) => findings.of(path).length > 0 || tells(sources.get(path)?.facts)
  const leading = leadingTo(sources, counts)
  const pattern = testNamePattern === undefined ? undefined : new RegExp(testNamePattern)
  return new Map(
    testFiles
      .filter((testFile) => sources.has(testFile))
      .map((testFile) => {
        const roots = [testFile, ...setupFiles]
        const { reached, isReal } = whatRuns(roots, sources, leading)
        const found = reached.flatMap((path) => findings.of(path)).filter(isReal)
        const areWhole = reached.every((path) => sources.get(path)?.facts.isWhole === true)
        const isRead = asked.isWhole && areWhole
        const all = summary(found, isRead, findings)
        const willRun = found.filter(({ test }) => test === undefined || pattern?.test(test) !== false)
        const digest = asked.isWhole ? digestOf(all) : CUT
        return [testFile, { ...(pattern ? summary(willRun, isRead, findings) : all), digest }]
      }),
  )
}

/** The files that run with a test file, and which findings in them are not replaced by its mocks. */
function whatRuns(roots: string[], sources: Sources, leading: Set<string>) {
  const factsOf = (paths: string[]) => paths.flatMap((path) => sources.get(path)?.facts ?? [])
  const own = factsOf(roots)
  const mocks = own.flatMap((facts) => facts.mocks)
  const replaced = MOCKED.flatMap(([module, loaders]) => (mocks.some((mock) => module.test(mock)) ? [loaders] : []))
  if (own.some(({ hasHttpMock }) => hasHttpMock)) replaced.push(/^(fetch|downloadFile|snapshotDownload)$/)
  const mocked = filesOf(mocks, roots, sources)
  const reached = reach(roots, sources, leading, mocked)
  if (factsOf(reached).some(({ hasOwnModels }) => hasOwnModels)) replaced.push(TRANSFORMERS)
  const isReal = ({ loader = '', through = [] }: Finding) =>
    !replaced.some((loaders) => loaders.test(loader)) && !through.some((path) => mocked.has(path))
  return { reached, isReal }
}

function summary(found: Finding[], isRead: boolean, findings: Findings): Omit<NamedModels, 'digest'> {
  const models = [...new Map(found.flatMap(({ model }) => (model ? [[selectedKey(model), model]] : []))).values()]
  // An id in another place, too, such as that of a call in a variable, adds nothing.
  const stated = new Set(models.flatMap(({ repo, revision }) => [`${repo}`, `${repo}@${revision}`]))
  const others = found.filter(({ id = '', loader }) => loader !== undefined || !stated.has(id))
  const ids = [...new Set(others.flatMap(({ id }) => id ?? []))].sort()
  const isOpen = found.some(
    ({ isOpen, argumentOf }) => isOpen || (argumentOf !== undefined && !findings.isCalled(argumentOf)),
  )
  return { models, ids, isWhole: isRead && !isOpen }
}

function digestOf({ models, ids, isWhole }: Omit<NamedModels, 'digest'>): string {
  if (isWhole && models.length + ids.length === 0) return NOTHING_NAMED
  const told = JSON.stringify([models.map(selectedKey).sort(), ids, isWhole])
  return createHash('sha256').update(told).digest('hex').slice(0, 12)
}

/** True for a file that tells something beside its findings. */
function tells(facts: Facts | undefined): boolean {
  return facts?.isWhole === false || facts?.hasOwnModels === true
}

/** The files from which imports lead to a file that counts, that file included. */
export function leadingTo(sources: Sources, counts: (path: string) => boolean): Set<string> {
  const importers = new Map<string, string[]>()
  for (const [path, { targets }] of sources)
    for (const target of Object.values(targets)) {
      const known = importers.get(target)
      if (known) known.push(path)
      else importers.set(target, [path])
    }
  const leading = new Set([...sources.keys()].filter(counts))
  for (const path of leading) for (const importer of importers.get(path) ?? []) leading.add(importer)
  return leading
}

/** The files of modules, as the test file and its setup files name them. */
function filesOf(modules: string[], roots: string[], sources: Sources): Set<string> {
  const all = roots.map((root) => sources.get(root)?.targets ?? {})
  return new Set(
    all.flatMap((targets) => modules.flatMap((name) => (Object.hasOwn(targets, name) ? [targets[name] ?? ''] : []))),
  )
}

/** The files that run with a test file, among those that count. Modules that the test replaces by mocks are left out. */
function reach(roots: string[], sources: Sources, leading: Set<string>, mocked: Set<string>): string[] {
  const reached = new Set(roots)
  for (const path of reached)
    for (const target of Object.values(sources.get(path)?.targets ?? {}))
      if (leading.has(target) && !mocked.has(target)) reached.add(target)
  return [...reached]
}
