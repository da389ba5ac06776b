import { UNTOUCHED } from './fixture.ts'

export interface LoaderSuite {
  /** The way in which the loader is registered. */
  loader: string
  files: Record<string, string>
  /** The number of model requests that a run reports. */
  requests: number
  env?: Record<string, string>
}

// Each place has its own cache folder, so that a copy of one place does not serve another.
const EMBEDS = `
  const embeds = async ({ env, pipeline }, place) => {
    env.cacheDir = './own-cache/' + place
    const embed = await pipeline('feature-extraction', '${UNTOUCHED}')
    return (await embed('A dog', { pooling: 'mean', normalize: true })).data[0].toFixed(4)
  }
`
const DOG = '-0.2976'

const UNTOUCHED_TEST = `
  import { createRequire } from 'node:module'
  import { expect, test } from 'vitest'
  import * as transformers from '@huggingface/transformers'
  ${EMBEDS}
  test('embeds, as ESM and as CommonJS', async () => {
    expect(await embeds(transformers, 'untouched')).toBe('${DOG}')
    expect(await embeds(createRequire(import.meta.url)('@huggingface/transformers'), 'untouched-cjs')).toBe('${DOG}')
  })
`

const REGISTER = `
  import { register } from 'node:module'
  register('./loader.mjs', import.meta.url)
`
const PROGRAM = `
  ${EMBEDS}
  console.log(await embeds(await import('@huggingface/transformers'), process.argv[2] ?? 'program'))
`

const PROGRAMS: Record<string, string> = {
  // Like most loaders, it leaves CommonJS to Node.js.
  'loader.mjs': `
    export const resolve = (specifier, context, next) => next(specifier, context)
    export const load = (url, context, next) => next(url, context)
  `,
  'program.mjs': PROGRAM,
  'program.ts': PROGRAM.replace("?? 'program'", "?? ('program' as string)"),
  'program.cjs': `${EMBEDS}\nembeds(require('@huggingface/transformers'), process.argv[2]).then(console.log)`,
  'registers.mjs': `${REGISTER}\nawait import('./program.mjs')`,
  'thread.mjs': `
    import { parentPort } from 'node:worker_threads'
    ${REGISTER}
    ${EMBEDS}
    parentPort.postMessage(await embeds(await import('@huggingface/transformers'), 'thread'))
  `,
}

const LOADED: Record<string, string> = {
  'worker.test.js': `
    import { expect, test } from 'vitest'
    ${REGISTER}
    ${EMBEDS}
    test('a worker that registers a loader', async () => {
      expect(await embeds(await import('@huggingface/transformers'), 'worker')).toBe('${DOG}')
    })
  `,
  'children.test.js': testOf({
    'that registers a loader': ['registers.mjs', 'registers'],
    'of CommonJS, with a loader': ['--import', './registers-only.mjs', 'program.cjs', 'cjs'],
    'that is run by tsx': ['--import', 'tsx', 'program.ts', 'tsx'],
    'with --experimental-loader': ['--no-warnings', '--experimental-loader', './loader.mjs', 'program.mjs', 'loader'],
  }),
  'thread.test.js': `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    import { expect, test } from 'vitest'
    test('a thread that registers a loader', async () => {
      expect(await once(new Worker('./thread.mjs'), 'message')).toEqual(['${DOG}'])
    })
  `,
  'registers-only.mjs': REGISTER,
}

// Node.js 25 ends a process when an open file is garbage collected; earlier versions print a warning.
const DROPPED_TEST = `
  import { setImmediate } from 'node:timers/promises'
  import { setFlagsFromString } from 'node:v8'
  import { runInNewContext } from 'node:vm'
  import { expect, test } from 'vitest'
  test('bodies that are dropped midway close their files', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc')
    const warnings = []
    process.on('warning', ({ code }) => warnings.push(code))
    const readHead = async () => {
      const { body } = await fetch(process.env.HF_ENDPOINT + '/${UNTOUCHED}/resolve/main/onnx/model.onnx')
      await body.getReader().read()
    }
    for (let count = 0; count < 20; count++) await readHead()
    for (let round = 0; round < 20; round++) {
      collect()
      await setImmediate()
    }
    expect(warnings).toEqual([])
  })
`

/** A test that runs child processes, by name, and checks their output. */
function testOf(children: Record<string, string[]>): string {
  return `
    import { execFile } from 'node:child_process'
    import { promisify } from 'node:util'
    import { expect, test } from 'vitest'
    test.each(${JSON.stringify(Object.entries(children))})('a child %s', async (name, args) => {
      const { stdout } = await promisify(execFile)(process.execPath, args)
      expect(stdout.trim()).toBe('${DOG}')
    })
  `
}

/** Suites that register a loader and load models in workers, threads and child processes. */
export const LOADER_SUITES: LoaderSuite[] = [
  {
    loader: 'register',
    files: { ...PROGRAMS, ...LOADED, 'untouched.test.js': UNTOUCHED_TEST, 'dropped.test.js': DROPPED_TEST },
    requests: 8,
  },
  {
    loader: 'NODE_OPTIONS --import tsx',
    files: { ...PROGRAMS, 'child.test.ts': testOf({ inherits: ['program.mjs'] }), 'untouched.test.js': UNTOUCHED_TEST },
    requests: 2,
    env: { NODE_OPTIONS: '--import tsx' },
  },
]
