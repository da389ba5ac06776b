import process from 'node:process'
import vm from 'node:vm'
import type { Preload } from '../../run/preload.ts'

/** What the hook does for the test file that runs now. A process runs one test file at a time. */
interface Hooked {
  /** Called before a module of ONNX Runtime or transformers.js is compiled. */
  onRuntime: () => void
  /** Changes the source of transformers.js. Undefined if the project leaves untouched code alone. */
  preload?: Preload | undefined
}

// On `process`: a process has one hook, also if it loads this package twice.
const HOOKED = Symbol.for('vitest-model-cache.vm')

const RUNTIME = /[\\/](?:@huggingface[\\/]transformers|@xenova[\\/]transformers|onnxruntime-(?:common|node|web))[\\/]/

// Jest picks this build for jsdom: CommonJS in version 29, and ES modules in all versions. It can't load a model in Node.js.
const BUILD_FOR_BROWSERS = /[\\/]@huggingface[\\/]transformers[\\/]dist[\\/]transformers\.web\.js$/

/**
 * Has the source of transformers.js changed where Jest compiles it. Jest reads files by functions that it kept before any code of ours
 * ran, and compiles them by `node:vm`: as functions, as wrapped scripts (29) or as modules.
 */
export function hookVm(hooked: Hooked): void {
  const isInstalled = Reflect.has(process, HOOKED)
  Reflect.set(process, HOOKED, hooked)
  if (!isInstalled) install()
}

/** The test file ended. */
export function unhookVm(): void {
  Reflect.set(process, HOOKED, undefined)
}

function install(): void {
  const { compileFunction, Script, SourceTextModule } = vm as typeof vm & { SourceTextModule?: typeof Script }
  vm.compileFunction = (code, params, options) =>
    compileFunction(changed(code, options?.filename, AS_COMMON_JS), params, options)
  vm.Script = proxied(Script, (code, options) => {
    const [start, end] = wrapped(code)
    const own = changed(code.slice(start, end), Reflect.get(Object(options), 'filename'), AS_COMMON_JS)
    return code.slice(0, start) + own + code.slice(end)
  })
  if (!SourceTextModule) return
  const changedModule = (code: string, options: unknown) =>
    changed(code, Reflect.get(Object(options), 'identifier'), AS_MODULE)
  Reflect.set(vm, 'SourceTextModule', proxied(SourceTextModule, changedModule))
}

function proxied<Class extends typeof vm.Script>(
  target: Class,
  change: (code: string, options: unknown) => string,
): Class {
  return new Proxy(target, {
    construct: (target, [code, options, ...rest], newTarget) =>
      Reflect.construct(target, [typeof code === 'string' ? change(code, options) : code, options, ...rest], newTarget),
  })
}

const AS_COMMON_JS = "module.exports = require('./transformers.node.cjs')"
const AS_MODULE = "export * from './transformers.node.mjs'"

/** `forNode` is a source that loads the build of transformers.js for Node.js. */
function changed(code: string, path: unknown, forNode: string): string {
  const hooked: Hooked | undefined = Reflect.get(process, HOOKED)
  if (!hooked || typeof path !== 'string' || !RUNTIME.test(path)) return code
  hooked.onRuntime()
  if (BUILD_FOR_BROWSERS.test(path)) return forNode
  return hooked.preload?.isTransformers(path) ? String(hooked.preload.extended(code)) : code
}

/** Where a module's own code begins and ends in the function that Jest 29 wraps it in. */
function wrapped(code: string): [start: number, end: number] {
  const start = /^\(\{"[^"]+":function\([^)]*\)\{/.exec(code)?.[0].length ?? 0
  const end = code.lastIndexOf('\n}});')
  return start === 0 || end === -1 ? [0, code.length] : [start, end]
}
