import { fileURLToPath } from 'node:url'
import { builtinEnvironments, type Environment } from 'vitest/runtime'
import { hostGlobal, sleep } from '../../platform/originals.ts'
import { slotOf } from '../../providers/slot.ts'

// onnxruntime-node tells typed arrays by their class, and knows those of Node.js itself. A vm context has classes of its
// own, and jsdom puts its window's in place of Node.js's: in both every model would fail ("A float32 tensor's data must
// be type of function Float32Array()"). Sharing the classes mends both directions.
const SHARED = [
  'Float32Array',
  'Float64Array',
  'Float16Array',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Uint32Array',
  'BigInt64Array',
  'BigUint64Array',
]

// transformers.js needs them to read a local file, and the vm contexts of jsdom lack some. In the other pools Vitest
// leaves those of Node.js in place; here they are filled in where there are none.
const FILLED_IN = ['ReadableStream', 'WritableStream', 'TransformStream', 'Response', 'Request', 'Headers', 'fetch']

// Taken when this file is loaded, before any environment changed them.
const host = new Map([...SHARED, ...FILLED_IN].map((name) => [name, Reflect.get(hostGlobal(), name)]))

// A teardown that hangs would keep the main process alive for a minute.
const DISPOSE_WITHIN_MS = 2_000

/** A built-in environment of Vitest with models in it: what the built-in one does is left as it is. */
export function withModels(name: keyof typeof builtinEnvironments): Environment {
  const inner: Environment = builtinEnvironments[name]
  const { setupVM } = inner
  return {
    ...inner,
    async setup(global, options) {
      slotOf(global)
      const { teardown } = await inner.setup(global, ofInner(name, options))
      shareClasses(global)
      return {
        async teardown(global) {
          await disposeModels(global)
          await teardown(global)
        },
      }
    },
    setupVM:
      setupVM &&
      (async (options) => {
        const { getVmContext, teardown } = await setupVM(ofInner(name, options))
        const context = getVmContext()
        shareClasses(context)
        slotOf(context)
        return {
          getVmContext: () => context,
          async teardown() {
            await disposeModels(context)
            await teardown()
          },
        }
      }),
  }
}

/** Options of a docblock come under the environment's name, which is our file's path: the built-in one looks under its own. */
function ofInner(name: string, options: Record<string, unknown>): Record<string, unknown> {
  const given = options[fileURLToPath(new URL(`./${name}.js`, import.meta.url))]
  // Vitest 4.1 keys the options of happy-dom like this, and those of the others by their names.
  const key = name === 'happy-dom' ? 'happyDOM' : name
  return given === undefined ? options : { ...options, [key]: { ...Object(options[key]), ...Object(given) } }
}

function shareClasses(global: object): void {
  for (const [name, value] of host) {
    const isMissing = !(name in global)
    // Float16Array exists from Node.js 24 on.
    if (value !== undefined && (isMissing || SHARED.includes(name))) Reflect.set(global, name, value)
  }
}

async function disposeModels(global: object): Promise<void> {
  const { active } = slotOf(global)
  if (!active) return
  const bound = new AbortController()
  const disposed = active.disposeAll().catch((error) => process.stderr.write(`[model-cache] ${error}\n`))
  await Promise.race([disposed, sleep(DISPOSE_WITHIN_MS, bound.signal).catch(() => undefined)])
  bound.abort()
}
