import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))
const LONGEST_FILE = 300

/** Top to bottom: imports only point down, and rooms of one floor never import each other. */
const FLOORS = [
  ['vitest', 'jest', 'node-test', 'cli'],
  ['run/start', 'run/worker', 'run/end'],
  ['run', 'serve'],
  ['report', 'providers', 'intercept'],
  ['loading'],
  // The face of the engine and its verbs. The rooms below do the work.
  ['cache'],
  ['cache/intake', 'cache/upkeep', 'cache/inspect', 'cache/share'],
  ['cache/lookup'],
  ['cache/context'],
  ['cache/store/entries', 'cache/store/downloads', 'cache/archive'],
  ['cache/store/packs'],
  ['cache/store/removal'],
  ['cache/store/answers', 'cache/store/locks', 'cache/store/skeletons'],
  ['cache/selection', 'cache/store', 'hub', 'remote'],
  ['config', 'mocks', 'net'],
  ['model'],
  ['platform'],
]
/** The face of the engine: it wires the verbs and the rooms, and none of them imports it. */
const FACE = ['cache/index.ts', 'cache/model-cache.ts', 'cache/open-model-cache.ts']
/** What users import: these may look into every room, and no room looks at them. */
const ENTRANCES = ['index.ts', 'models.ts']
const WITHOUT_RUNNER = FLOORS.slice(FLOORS.findIndex((rooms) => rooms.includes('run'))).flat()

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((path) => path.split(sep).join('/'))
  // A `.d.cts` is copied, and names built files.
  .filter((path) => /\.[cm]?ts$|\.mjs$/.test(path) && !path.endsWith('.d.cts'))
  .sort()

interface Import {
  from: string
  /** As it is written. */
  specifier: string
  /** The file below `src` that a relative one means. */
  target?: string
  /** True where nothing of it is left when types are gone. */
  isType: boolean
}

const TYPE_ONLY = /\b(?:import|export)\s+type\s[^'"=;]*$/
// `import x from 'y'`, `export { x } from 'y'`, `import type`, `import 'y'`, `import('y')`, `typeof import('y')`, and
// module augmentations.
const STATEMENT = /\b(?:from|import|declare\s+module)\s*\(?\s*(['"])([^'"\n]+)\1/g

function importsOf(path: string): Import[] {
  const text = readFileSync(join(SRC, path), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
  return [...text.matchAll(STATEMENT)].map(({ index, 0: statement, 2: specifier = '' }) => ({
    from: path,
    specifier,
    isType: /^declare/.test(statement) || TYPE_ONLY.test(text.slice(0, index)),
    target: specifier.startsWith('.')
      ? relative(SRC, resolve(SRC, dirname(path), specifier))
          .split(sep)
          .join('/')
      : undefined,
  }))
}

const imports = files.flatMap(importsOf)

/** The longest room whose folder holds the file: `cache/store/locks/lock.ts` is in `cache/store`, and not in `cache`. */
function roomOf(path: string): string | undefined {
  const rooms = FLOORS.flat().filter((room) => path.startsWith(`${room}/`))
  return rooms.sort((a, b) => b.length - a.length)[0]
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room))
}

function shown({ from, specifier }: Import): string {
  return `${from} imports ${specifier}`
}

describe('the house', () => {
  test('has a room for every file', () => {
    expect(files.filter((path) => roomOf(path) === undefined)).toEqual(ENTRANCES)
  })

  test('is read in full: every relative import means a file that is there', () => {
    const relatives = imports.filter(({ target }) => target !== undefined)
    expect(relatives.length).toBeGreaterThan(100)
    expect(relatives.filter(({ target = '' }) => !files.includes(target)).map(shown)).toEqual([
      // The text of a module of transformers.js.
      'jest/file/hook-vm.ts imports ./transformers.node.mjs',
    ])
  })

  test('has imports that only point down, and none between rooms of one floor', () => {
    const wrong = imports.filter(({ from, target }) => {
      const [above, below] = [roomOf(from), target && roomOf(target)]
      return above !== undefined && below !== undefined && above !== below && floorOf(below) <= floorOf(above)
    })
    expect(wrong.map(shown)).toEqual([])
  })

  test('has no files that import each other, at any distance', () => {
    const below = new Map(files.map((path) => [path, new Set<string>()]))
    for (const { from, target } of imports) if (target) below.get(from)?.add(target)
    const reaches = (path: string) => {
      const reached = new Set(below.get(path))
      for (const each of reached) for (const next of below.get(each) ?? []) reached.add(next)
      return reached
    }
    expect(files.filter((path) => reaches(path).has(path))).toEqual([])
  })

  test('has an engine whose verbs and rooms do not import its face', () => {
    const wrong = imports.filter(
      ({ from, target = '' }) => from.startsWith('cache/') && !FACE.includes(from) && FACE.includes(target),
    )
    expect(wrong.map(shown)).toEqual([])
  })

  test('has entrances that no room imports', () => {
    const wrong = imports.filter(({ from, target }) => roomOf(from) && target && ENTRANCES.includes(target))
    expect(wrong.map(shown)).toEqual([])
  })

  test('imports no test runner from `run` down, and no types of one', () => {
    const wrong = imports.filter(({ from, specifier }) => {
      const room = roomOf(from)
      const isRunner = /^(vite|vitest|jest|jest-[^/]+|@(vitest|jest)\/[^/]+)(\/|$)/.test(specifier)
      return isRunner && room !== undefined && WITHOUT_RUNNER.includes(room)
    })
    expect(wrong.map(shown)).toEqual([])
  })

  test('needs nothing of Node.js, and no package but Vitest, in what runs in a browser', () => {
    const reached = new Set(['vitest/browser/setup-file.ts', 'models.ts'])
    const foreign: string[] = []
    for (const path of reached)
      for (const { specifier, target, isType, ...rest } of imports.filter(({ from }) => from === path)) {
        if (isType) continue
        if (target) reached.add(target)
        else if (specifier !== 'vitest') foreign.push(shown({ specifier, isType, ...rest }))
      }
    expect(reached.size).toBeGreaterThan(6)
    expect(foreign).toEqual([])
  })

  test('prints in few places, of which each makes printable what comes from outside', () => {
    const PRINTS = /\bconsole\.\w+|\bstd(?:out|err)\.write\(|\blogger\.\w+\(/
    const printing = files.filter((path) => PRINTS.test(readFileSync(join(SRC, path), 'utf8')))
    expect(printing).toEqual([
      // What it prints by default the engine's context has made printable.
      'cache/open-model-cache.ts',
      // Markdown is escaped by its renderer.
      'cli/report.ts',
      'cli/show/print.ts',
      'intercept/child.ts',
      'intercept/events-file.ts',
      'run/output.ts',
      'run/worker/dispose-models.ts',
      'run/worker/engine.ts',
      // What it prints `run/output.ts` or the report has made printable.
      'vitest/output.ts',
    ])
    const others = printing.filter(
      (path) => !['cache/open-model-cache.ts', 'cli/report.ts', 'vitest/output.ts', 'jest/output.ts'].includes(path),
    )
    for (const path of others) expect(readFileSync(join(SRC, path), 'utf8')).toMatch(/\bprintable(Lines)?\(/)
  })

  test('has files that are read in one sitting', () => {
    const long = files.filter((path) => readFileSync(join(SRC, path), 'utf8').split('\n').length > LONGEST_FILE + 1)
    expect(long).toEqual([])
  })
})
