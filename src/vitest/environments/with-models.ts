import { builtinEnvironments, type Environment } from 'vitest/runtime'
import { sleep } from '../../platform/originals.ts'
import { slotOf } from '../../providers/slot.ts'

// onnxruntime-node tells typed arrays by their class, and makes those of the main realm: a vm context has classes of its
// own, and every model would fail in it. Sharing the classes mends both directions.
const TYPED_ARRAYS = [
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
] as const

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
      const { teardown } = await inner.setup(global, options)
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
        const { getVmContext, teardown } = await setupVM(options)
        const context = getVmContext()
        const host = hostGlobal()
        for (const name of TYPED_ARRAYS) if (name in host) Reflect.set(context, name, Reflect.get(host, name))
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

async function disposeModels(global: object): Promise<void> {
  const { active } = slotOf(global)
  if (!active) return
  const bound = new AbortController()
  const disposed = active.disposeAll().catch((error) => process.stderr.write(`[model-cache] ${error}\n`))
  await Promise.race([disposed, sleep(DISPOSE_WITHIN_MS, bound.signal).catch(() => undefined)])
  bound.abort()
}

/** The realm of Node.js itself, also when this module was loaded in a context. */
function hostGlobal(): object {
  return Reflect.get(Buffer, 'constructor')('return globalThis')()
}
