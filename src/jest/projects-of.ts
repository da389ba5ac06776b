import process from 'node:process'
import { readJestProjects } from '../config/jest/read-projects.ts'
import type { GlobalConfig, ProjectConfig } from './types.ts'

/**
 * The projects of a run that use this package. Jest calls a global setup once for all projects that have it, with the config of one of
 * them.
 */
export async function projectsOf(globalConfig: GlobalConfig, projectConfig: ProjectConfig): Promise<ProjectConfig[]> {
  if (globalConfig.projects.length < 2) return [projectConfig]
  const isHere = ({ id }: { id: string }) => id === projectConfig.id
  const byArguments = await readJestProjects(process.cwd(), process.argv.slice(2))
  // A program may have started Jest with other arguments than its own.
  const read = byArguments?.configs.some(isHere)
    ? byArguments
    : await readJestProjects(globalConfig.rootDir, [], globalConfig.projects)
  const others = (read?.configs ?? []).filter((config) => config.globalSetup === projectConfig.globalSetup)
  return [projectConfig, ...others.filter((config) => !isHere(config))]
}
