import { fileURLToPath } from 'node:url'
import { builtinEnvironments, type Environment } from 'vitest/runtime'
import { counted } from '../../platform/own-time.ts'
import { slotOf } from '../../providers/slot.ts'
import { disposeModels } from '../../run/worker/dispose-models.ts'
import { shareClasses } from '../../run/worker/share-classes.ts'

/** A built-in environment of Vitest that also shares classes and disposes models. The rest is the built-in environment's. */
export function withModels(name: keyof typeof builtinEnvironments): Environment {
  const inner: Environment = builtinEnvironments[name]
  const { setupVM } = inner
  return {
    ...inner,
    async setup(global, options) {
      slotOf(global).willDispose = true
      const { teardown } = await inner.setup(global, ofInner(name, options))
      counted('environment', () => shareClasses(global))
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
        counted('environment', () => shareClasses(context))
        slotOf(context).willDispose = true
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

/**
 * Vitest gives the options of a docblock under the environment's name, which is the path of our file. The built-in environment
 * looks for them under its own name.
 */
function ofInner(name: string, options: Record<string, unknown>): Record<string, unknown> {
  const given = options[fileURLToPath(new URL(`./${name}.js`, import.meta.url))]
  // Vitest 4.1 has `happyDOM` as the key for happy-dom. The other keys are the names of the environments.
  const key = name === 'happy-dom' ? 'happyDOM' : name
  return given === undefined ? options : { ...options, [key]: { ...Object(options[key]), ...Object(given) } }
}
