import Module from 'node:module'
import process from 'node:process'
import type { TestProject } from 'vitest/node'
import { compileFolder } from '../cache/store/compile-cache.ts'
import { readEnvironment } from '../config/environment-variables.ts'
import type { Project } from '../run/project.ts'

// The preload has the same text (`intercept/compile-cache.cts`).
const OPTION = '--disable-warning=vitest-model-cache.compile-cache:'

// Pools in which Node.js loads the modules of node_modules. In a vm pool Vitest reads and compiles them itself.
const POOLS: unknown[] = ['forks', 'threads']

// The user chose a folder; the user wants no such cache; V8 counts which code runs.
const THEIRS = ['NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE', 'NODE_V8_COVERAGE']

/**
 * Has the workers of a project keep the compiled code of the modules that they load: of Vitest, of transformers.js and of other
 * packages. In an isolated run each test file loads them again. Must be called before the workers start.
 */
export function keepCompiledCode(testProject: TestProject, { options, cache }: Project): void {
  const { config, vitest } = testProject
  // Since Node.js 22.10. Workers run in the same Node.js.
  if (!Reflect.has(Module, 'flushCompileCache')) return
  const env = { ...process.env, ...vitest.config.env, ...config.env }
  if (options.mode === 'unit' || options.intercept.length === 0 || !POOLS.includes(config.pool)) return
  // V8 counts less exactly in functions that were not compiled from their source.
  if (vitest.config.coverage.enabled || THEIRS.some((name) => env[name])) return
  // A job of CI often starts without the folder, and would write it for nothing. Where it is kept between jobs, one job could change
  // the code that another one runs.
  if (readEnvironment(process.env).ci || cache.context.refusal) return
  const folder = compileFolder(cache.context)
  if (folder === undefined) return
  const others = (config.execArgv ?? []).filter((option) => !option.startsWith(OPTION))
  config.execArgv = [...others, `${OPTION}${folder}`]
}
