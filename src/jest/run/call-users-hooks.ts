import { createRequire } from 'node:module'
import { join } from 'node:path'
import { CHAIN, type UsersHooks } from '../../config/jest/option-keys.ts'
import { loadOfJest } from '../load-of-jest.ts'
import type { GlobalConfig, ProjectConfig } from '../types.ts'

type Hook = 'globalSetup' | 'globalTeardown'

interface Transformer {
  requireAndTranspileModule(path: string, use: (hook: unknown) => Promise<void>): Promise<unknown>
}

interface TransformPackage {
  createScriptTransformer(project: ProjectConfig): Promise<Transformer>
}

/**
 * Calls the user's own global setups or teardowns that `withModelCache` replaced. As in Jest, each is called once, with the first project
 * that has it, and is compiled by the project's transforms.
 */
export async function callUsersHooks(hook: Hook, globalConfig: GlobalConfig, projects: ProjectConfig[]): Promise<void> {
  const called = new Set<string>()
  for (const project of projects) {
    const { testEnvironmentOptions, rootDir } = project
    const hooks: UsersHooks = Object(testEnvironmentOptions[CHAIN])
    const given = hooks[hook]
    if (given === undefined) continue
    const path = pathOf(given, hooks.isOfRun ? globalConfig.rootDir : rootDir)
    if (called.has(path)) continue
    called.add(path)
    const { createScriptTransformer } = loadOfJest<TransformPackage>(rootDir, '@jest/transform', '@jest/core')
    const transformer = await createScriptTransformer(project)
    await transformer.requireAndTranspileModule(path, async (call) => {
      if (typeof call !== 'function') throw new TypeError(`${hook} file must export a function at ${path}`)
      await call(globalConfig, project)
    })
  }
}

/** The real path: several projects may name the same file. */
function pathOf(given: string, rootDir: string): string {
  return createRequire(join(rootDir, 'package.json')).resolve(given.replace(/^<rootDir>/, rootDir))
}
