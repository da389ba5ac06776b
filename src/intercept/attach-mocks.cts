// Changes the source of transformers.js in unit mode: `pipeline` and the `from_pretrained` of all classes return mocks, and the
// functions that read a file of a model throw. This file is loaded in unit mode only.

type Args = unknown[]
type Library = Record<string, unknown>
type Pretrained = (this: unknown, ...args: Args) => unknown
type Pipeline = (...args: Args) => unknown

interface Mocks {
  pipeline(library: Library, original: Pipeline, args: Args): unknown
  pretrained(library: Library, asked: unknown, args: Args): unknown
}

interface Bridge {
  /** Undefined where the mode is not unit. */
  mocks?(): Promise<Mocks>
  refuse?(asked: string): Promise<never>
}

/** Runs at the end of the source, as a part of it. So it uses nothing outside its own body. */
function attachMocks(library: Library, replacePipeline: (pipeline: Pipeline) => void): void {
  const mocks = () => {
    const bridge: Bridge | undefined = Reflect.get(process, Symbol.for('vitest-model-cache.intercept'))
    return bridge?.mocks?.()
  }
  const { pipeline } = library
  if (typeof pipeline !== 'function') return
  replacePipeline(async (...args) => {
    const opened = await mocks()
    return opened ? opened.pipeline(library, pipeline as Pipeline, args) : Reflect.apply(pipeline, undefined, args)
  })
  const attached = new Set<object>()
  for (const exported of Object.values(library)) {
    if (typeof exported !== 'function' || typeof Reflect.get(exported, 'from_pretrained') !== 'function') continue
    // Most classes inherit the method, some of them from a class that is not exported.
    let owner: object = exported
    while (!Object.hasOwn(owner, 'from_pretrained')) owner = Object.getPrototypeOf(owner)
    if (attached.has(owner)) continue
    attached.add(owner)
    const original: Pretrained = Reflect.get(owner, 'from_pretrained')
    Reflect.set(owner, 'from_pretrained', async function (this: unknown, ...args: Args) {
      const opened = await mocks()
      return opened ? opened.pretrained(library, this, args) : Reflect.apply(original, this, args)
    })
  }
}

/** Runs at the start of each function that reads a file of a model. It uses nothing outside its own body either. */
async function refuseInUnitMode(model: unknown, file: unknown): Promise<void> {
  const bridge: Bridge | undefined = Reflect.get(process, Symbol.for('vitest-model-cache.intercept'))
  await bridge?.refuse?.(`${file} of ${model}`)
}

const REFUSE = '__vitestModelCacheRefuse'
// Version 4 has all three functions. Versions 2 and 3 have the first.
const READS = /async function (?:getModelFile|loadResourceFile|_get_file_metadata)\((\w+), (\w+)[^)]*\) \{/g
const EXPORTS = /^export \{([^}]*)\};?$/gm

/** Returns the source with the mocks. A source without these exports only gets the functions that throw. */
function withMocks(source: string): string {
  const refusing = source.replace(READS, `$& await ${REFUSE}($1, $2);`)
  return `${refusing}\n;async function ${REFUSE}(model, file) { return (${refuseInUnitMode})(model, file) }\n${attached(source)}`
}

function attached(source: string): string {
  const attach = (library: string, replace: string) =>
    `;try { (${attachMocks})(${library}, (made) => { ${replace} }) } catch {}\n`
  const list = [...source.matchAll(EXPORTS)].at(-1)?.[1]
  if (list !== undefined) {
    const names = list.split(',').flatMap((part) => {
      const [local = '', exported = local] = part.trim().split(/\s+as\s+/)
      return local === '' ? [] : [{ local, exported }]
    })
    const pipeline = names.find(({ exported }) => exported === 'pipeline')?.local
    const library = names.map(({ local, exported }) => `${JSON.stringify(exported)}: ${local}`).join(', ')
    return pipeline === undefined ? '' : attach(`{ ${library} }`, `${pipeline} = made`)
  }
  if (!/\bmodule\.exports = |\b__webpack_export_target__ = exports\b/.test(source)) return ''
  // The exports of version 4 refer to the function `pipeline`. Version 3 copied the function into its exports.
  return attach(
    'module.exports',
    `if (typeof pipeline === 'function') pipeline = made; else module.exports.pipeline = made`,
  )
}

export = { withMocks }
