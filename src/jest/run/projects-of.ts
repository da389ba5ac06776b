import process from 'node:process'
import { OPTIONS } from '../../config/jest/option-keys.ts'
import { readJestProjects } from '../../config/jest/read-projects.ts'
import { GLOBAL_SETUP } from '../own-files.ts'
import type { GlobalConfig, ProjectConfig } from '../types.ts'

/**
 * The projects of a run that use this package. Jest calls a global setup once for all projects that have it, with the config of one of
 * them.
 */
export async function projectsOf(globalConfig: GlobalConfig, projectConfig: ProjectConfig): Promise<ProjectConfig[]> {
  const all = globalConfig.projects.length < 2 ? [projectConfig] : await readAll(globalConfig, projectConfig)
  return all.filter(
    ({ globalSetup, testEnvironmentOptions }) =>
      Object.hasOwn(testEnvironmentOptions, OPTIONS) || globalSetup === GLOBAL_SETUP,
  )
}

async function readAll(globalConfig: GlobalConfig, projectConfig: ProjectConfig): Promise<ProjectConfig[]> {
  const isHere = ({ id }: { id: string }) => id === projectConfig.id
  // A program may have started Jest with other arguments than its own.
  const byArguments = await readJestProjects(process.cwd(), process.argv.slice(2)).catch(() => undefined)
  const read = byArguments?.configs.some(isHere)
    ? byArguments
    : await readJestProjects(globalConfig.rootDir, [], globalConfig.projects).catch(() => undefined)
  return [projectConfig, ...(read?.configs ?? []).filter((config) => !isHere(config))]
}
