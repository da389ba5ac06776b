import process from 'node:process'
import vm from 'node:vm'
import type { Preload } from '../run/preload.ts'

const HOOKED = Symbol.for('vitest-model-cache.vm')

/**
 * Has the source of transformers.js changed where Jest compiles it. Jest reads files by functions that it kept before any code of ours
 * ran, and compiles them by `node:vm`: as functions, as wrapped scripts (29) or as modules.
 */
export function hookVm({ isTransformers, extended }: Preload): void {
  if (Reflect.has(process, HOOKED)) return
  Reflect.set(process, HOOKED, true)
  const { compileFunction, Script, SourceTextModule } = vm as typeof vm & { SourceTextModule?: typeof Script }
  const extendedTo = (code: string, end: number) => String(extended(code.slice(0, end))) + code.slice(end)
  vm.compileFunction = (code, params, options) =>
    compileFunction(isTransformers(options?.filename) ? extendedTo(code, code.length) : code, params, options)
  const hooked = (Class: typeof Script, name: string, endOf: (code: string) => number) =>
    new Proxy(Class, {
      construct(target, [code, options, ...rest], newTarget) {
        const isMeant = typeof code === 'string' && isTransformers(Reflect.get(Object(options), name))
        return Reflect.construct(target, [isMeant ? extendedTo(code, endOf(code)) : code, options, ...rest], newTarget)
      },
    })
  vm.Script = hooked(Script, 'filename', endOfWrapped)
  if (SourceTextModule)
    Reflect.set(
      vm,
      'SourceTextModule',
      hooked(SourceTextModule, 'identifier', (code) => code.length),
    )
}

/** The end of a module's own code in the function that Jest 29 wraps it in. */
function endOfWrapped(code: string): number {
  const end = code.lastIndexOf('\n}});')
  return end === -1 ? code.length : end
}
