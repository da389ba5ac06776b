import { describe, expect, test } from 'vitest'
import { resolveOptions, type Warm } from '../../src/config/options.ts'
import { modelKey, modelLabel, parseModel } from '../../src/model/model.ts'
import { selectionKey } from '../../src/model/selection.ts'
import { type LearnedUse, learn } from '../../src/run/end/learn.ts'
import { type History, historyOf, storeHistory } from '../../src/run/history.ts'
import type { NamedModels, Queue } from '../../src/run/queue.ts'
import { modelsToWarm } from '../../src/run/start/choice/models-to-warm.ts'
import { predict } from '../../src/run/start/choice/predict.ts'
import fc from '../support/property.ts'

const NEVER: History = new Map()

function use(testFile: string, repo: string, bytes = 1, selection = '{}'): LearnedUse {
  return { testFile, repo, revision: 'main', selection, bytes }
}

/** One run: the test files, and the models that each of them used. */
function run(before: History, uses: Record<string, string[]>, { whole = true, pattern = '' } = {}): History {
  const files = Object.keys(uses).map((testFile) => ({ testFile, isWhole: whole }))
  const used = Object.entries(uses).flatMap(([testFile, repos]) => repos.map((repo) => use(testFile, repo)))
  return learn(before, { files, uses: used, ...(pattern && { testNamePattern: pattern }) })
}

function needed(history: History, queue: Queue): string[] {
  return predict({ history, queue }).models.map(modelLabel).sort()
}

function record(history: unknown, used: { repo: string; testFiles: string[] }[] = []) {
  const uses = used.map((each) => ({ revision: 'main', commit: 'f'.repeat(40), selection: '{}', ...each }))
  return { schemaVersion: 1 as const, id: '1', startedAt: '2026-01-01T00:00:00Z', project: '/p', used: uses, history }
}

describe('what is predicted', () => {
  const known = run(NEVER, { 'a.test.ts': ['org/a'], 'b.test.ts': ['org/b', 'org/c'], 'none.test.ts': [] })

  test('is what the queued test files used', () => {
    expect(needed(known, { files: ['a.test.ts'] })).toEqual(['org/a'])
    expect(needed(known, { files: ['none.test.ts', 'b.test.ts'] })).toEqual(['org/b', 'org/c'])
    expect(predict({ history: known, queue: { files: ['none.test.ts'] } })).toEqual({ models: [], isComplete: true })
  })

  test('is incomplete for a test file that is new, failed, or left out tests', () => {
    const isComplete = (history: History, file: string) => predict({ history, queue: { files: [file] } }).isComplete
    expect(isComplete(known, 'new.test.ts')).toBe(false)
    const failed = run(known, { 'new.test.ts': ['org/n'] }, { whole: false })
    expect(isComplete(failed, 'new.test.ts')).toBe(false)
    expect(needed(failed, { files: ['new.test.ts'] })).toEqual(['org/n'])
    // A file that once ran in whole stays known, and what a failed run used is added.
    const later = run(failed, { 'a.test.ts': ['org/x'] }, { whole: false })
    expect(isComplete(later, 'a.test.ts')).toBe(true)
    expect(needed(later, { files: ['a.test.ts'] })).toEqual(['org/a', 'org/x'])
  })

  test('leaves out a model after three whole runs of the file without it, and only runs of that file count', () => {
    let history = known
    for (const round of [1, 2, 3]) {
      history = run(history, { 'a.test.ts': ['org/new'] })
      history = run(history, { 'a.test.ts': [] }, { whole: false })
      history = run(history, { 'b.test.ts': ['org/b', 'org/c'] })
      const expected = round < 3 ? ['org/a', 'org/new'] : ['org/new']
      expect(needed(history, { files: ['a.test.ts'] })).toEqual(expected)
    }
  })

  test('differs for each pattern of test names, once such a run is known', () => {
    const queue = { files: ['b.test.ts'], testNamePattern: 'two' }
    expect(needed(known, queue)).toEqual(['org/b', 'org/c'])
    const after = run(known, { 'b.test.ts': ['org/c'] }, { pattern: 'two' })
    expect(needed(after, queue)).toEqual(['org/c'])
    expect(needed(after, { files: ['b.test.ts'] })).toEqual(['org/b', 'org/c'])
  })

  test('includes what no test file requested, such as a global setup', () => {
    const uses = [use('a.test.ts', 'org/a'), use('setup.ts', 'org/setup')]
    const history = learn(NEVER, { files: [{ testFile: 'a.test.ts', isWhole: true }], uses })
    expect(needed(history, { files: [] })).toEqual(['org/setup'])
  })

  test('is no model twice, the smallest first, and only what the queued files used', () => {
    const repo = fc.constantFrom('org/a', 'org/b', 'org/c', 'org/d')
    const anyUse = fc.record({
      testFile: fc.constantFrom('a', 'b', 'c'),
      ...{ repo, revision: fc.constantFrom('main', 'v1'), selection: fc.constantFrom('{}', '{"dtype":"q8"}') },
      bytes: fc.nat(5),
    })
    const runs = fc.array(fc.record({ uses: fc.array(anyUse), isWhole: fc.boolean() }), { maxLength: 6 })
    const queued = fc.subarray(['a', 'b', 'c', 'new'])
    fc.assert(
      fc.property(runs, queued, (runs, files) => {
        let history = NEVER
        for (const { uses, isWhole } of runs)
          history = learn(history, { uses, files: ['a', 'b', 'c'].map((testFile) => ({ testFile, isWhole })) })
        const stored = historyOf([record(JSON.parse(JSON.stringify(storeHistory(history))))])
        const { models } = predict({ history: stored ?? NEVER, queue: { files } })
        const keys = models.map((model) => `${modelKey(model)} ${selectionKey(model.selection)}`)
        expect(new Set(keys).size).toBe(keys.length)
        const uses = files.flatMap((file) => history.get(file)?.uses ?? [])
        const last = new Map(uses.map((each) => [`${each.repo}@${each.revision} ${each.selection}`, each]))
        expect(keys.sort()).toEqual([...last.keys()].sort())
        const sizes = models.map((model) =>
          uses.filter((each) => each.repo === model.repo && each.selection === selectionKey(model.selection)),
        )
        expect(sizes.every((some) => some.length > 0)).toBe(true)
      }),
    )
    const history = learn(NEVER, {
      files: [{ testFile: 'a', isWhole: true }],
      uses: [use('a', 'org/large', 9), use('a', 'org/small', 1), use('a', 'org/middle', 5)],
    })
    const { models } = predict({ history, queue: { files: ['a'] } })
    expect(models.map(modelLabel)).toEqual(['org/small', 'org/middle', 'org/large'])
  })
})

describe('what test files name in their sources', () => {
  const names = (digest: string, repos: string[], more: Partial<NamedModels> = {}): NamedModels => ({
    ...{ models: repos.map((repo) => parseModel(repo)), ids: [], isWhole: true, digest },
    ...more,
  })
  const withSources = (before: History, digest: string, repos: string[], isWhole = true) =>
    learn(before, {
      files: [{ testFile: 'a.test.ts', isWhole, sources: digest }],
      uses: repos.map((repo) => use('a.test.ts', repo, 7)),
    })
  const predicted = (history: History, named: NamedModels, declared: string[] = []) => {
    const queue = { files: ['a.test.ts'] }
    const models = declared.map((repo) => parseModel(repo))
    const found = predict({ history, queue, named: new Map([['a.test.ts', named]]), declared: models })
    return [found.isComplete, ...found.models.map(modelLabel)]
  }

  test('counts for a new file and for one that names other models than when it ran in whole', () => {
    expect(predicted(NEVER, names('1', ['org/a']))).toEqual([false, 'org/a'])
    const known = withSources(NEVER, '1', ['org/used'])
    // The file did not request what it names, so nothing but its use counts.
    expect(predicted(known, names('1', ['org/a']))).toEqual([true, 'org/used'])
    expect(predicted(known, names('2', ['org/b']))).toEqual([true, 'org/used', 'org/b'])
    expect(predicted(known, names('2', ['org/b'], { isWhole: false }))).toEqual([false, 'org/used', 'org/b'])
    // A run that failed does not settle what the file uses.
    const failed = withSources(known, '2', ['org/b'], false)
    expect(predicted(failed, names('2', ['org/b', 'org/c']))).toEqual([true, 'org/b', 'org/used', 'org/c'])
    // What the former file used is forgotten at once.
    expect(predicted(withSources(known, '2', ['org/b']), names('2', ['org/b']))).toEqual([true, 'org/b'])
  })

  test('is a known model if it may be no model at all', () => {
    const ids = { ids: ['org/declared', 'org/used@main', 'org/used@v1', 'text/plain'] }
    const known = run(NEVER, { 'b.test.ts': ['org/used', 'org/declared'] })
    expect(predicted(known, names('1', [], ids))).toEqual([false, 'org/declared', 'org/used'])
    expect(predicted(NEVER, names('1', [], ids), ['org/declared@v2', 'org/declared'])).toEqual([
      ...[false, 'org/declared@v2', 'org/declared'],
    ])
  })
})

test('a history that is damaged or missing is read as far as it goes', () => {
  const history = run(NEVER, { 'a.test.ts': ['org/a'], 'b.test.ts': ['org/a', 'org/b'] })
  const stored = storeHistory(history)
  expect(historyOf([record(stored)])).toEqual(new Map(history))
  const damaged = { ...stored, models: [stored.models[0], ['org/b', 'main', 7, 1]] }
  expect(historyOf([record(damaged)])?.get('b.test.ts')).toMatchObject({ isWhole: false, uses: [{ repo: 'org/a' }] })
  const others = [null, 7, {}, { models: {}, files: [] }, { models: [], files: [null, ['a'], ['a', 1, [[0, 0]]]] }]
  for (const other of others) expect(() => historyOf([record(other)])).not.toThrow()
  expect(historyOf([])).toBeUndefined()
  // A record of an older version says what was used, and not whether that was all.
  const older = historyOf([record(undefined, [{ repo: 'org/a', testFiles: ['a.test.ts'] }])])
  expect(older?.get('a.test.ts')).toMatchObject({ isWhole: false, uses: [{ repo: 'org/a' }] })
})

describe('the option `warm`', () => {
  const history = run(NEVER, { 'a.test.ts': ['org/a'], 'b.test.ts': ['org/b'] })
  const lastRuns = [record(storeHistory(history), [{ repo: 'org/b', testFiles: ['b.test.ts'] }])]
  const known = { lastRuns, entries: async () => [] }
  const warmed = async (warm: Warm | undefined, queue?: Queue, of: History | undefined = history) => {
    const models = ['org/declared', { repo: 'org/a', files: '*.json', pin: true }]
    const options = resolveOptions({ warm, models }, {}, '/p')
    const { models: found, predicted } = await modelsToWarm({ options, history: of }, known, queue)
    return { models: found.map(modelLabel), isPredicted: predicted !== undefined, pinned: found.some(({ pin }) => pin) }
  }

  test('`predicted`, the default, warms what is known, and the declared models if that is not all', async () => {
    const queue = { files: ['a.test.ts'] }
    expect(await warmed(undefined, queue)).toEqual({
      // Nobody was seen to use the second one. A program that does not report its reads may do so.
      ...{ models: ['org/a', 'org/declared'], isPredicted: true, pinned: true },
    })
    expect((await warmed('predicted', { files: ['b.test.ts'] })).models).toEqual(['org/b', 'org/declared'])
    const withNew = { files: ['b.test.ts', 'new.test.ts'] }
    expect((await warmed('predicted', withNew)).models).toEqual(['org/b', 'org/declared', 'org/a'])
    // Without a history, or if the runner does not tell its test files: the declared models and those of the last runs.
    const all = { models: ['org/declared', 'org/a', 'org/b'], isPredicted: false, pinned: true }
    expect(await warmed('predicted')).toEqual(all)
    expect(await modelsToWarm({ options: resolveOptions({}, {}, '/p') }, { ...known, lastRuns: [] }, queue)).toEqual({
      models: [],
    })
  })

  test('`declared`, `all` and `none` do not depend on the queued test files', async () => {
    const queue = { files: ['a.test.ts'] }
    expect((await warmed('declared', queue)).models).toEqual(['org/declared', 'org/a'])
    expect((await warmed('all', queue)).models).toEqual(['org/declared', 'org/a', 'org/b', 'org/a'])
    expect((await warmed('none', queue)).models).toEqual([])
  })
})
