import { fileURLToPath } from 'node:url'
import { builtinEnvironments, type Environment } from 'vitest/runtime'
import { printableLines } from '../../model/printable.ts'
import { sleep } from '../../platform/originals.ts'
import { measured } from '../../platform/own-time.ts'
import { slotOf } from '../../providers/slot.ts'
import { shareClasses } from '../../run/share-classes.ts'

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
      measured('environment', () => shareClasses(global))
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
        measured('environment', () => shareClasses(context))
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

async function disposeModels(global: object): Promise<void> {
  const { active } = slotOf(global)
  if (!active) return
  const bound = new AbortController()
  const disposed = active
    .disposeAll()
    .catch((error) => process.stderr.write(`[model-cache] ${printableLines(String(error))}\n`))
  await Promise.race([disposed, sleep(DISPOSE_WITHIN_MS, bound.signal).catch(() => undefined)])
  bound.abort()
}
