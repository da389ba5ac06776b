import { relative } from 'node:path'
import type { TestProject } from 'vitest/node'
import type { Options } from '../../config/options.ts'
import { leftToRoot, type ProjectState } from '../../config/root-plugin.ts'
import { count } from '../../report/words.ts'
import type { VitestConfig } from '../config/read-vitest.ts'
import { type Check, ok, warn } from './check.ts'

/** A project of a Vitest config, as Vitest resolves it. */
export interface Project extends ProjectState {
  name: string
  root: string
  /** The options of the project's own plugin. */
  options: Options | undefined
}

/** A config with its projects. The list is empty if the config has no `projects`. */
export type ProjectsConfig = VitestConfig & { projects: Project[] }

/** Has Vitest resolve the projects of a config. Runs no test. */
export async function withProjects(config: VitestConfig): Promise<ProjectsConfig> {
  if (!config.hasProjects) return { ...config, projects: [] }
  const { createVitest } = await import('vitest/node')
  const vitest = await createVitest('test', { watch: false })
  try {
    return { ...config, projects: vitest.projects.map(projectOf) }
  } finally {
    await vitest.close()
  }
}

function projectOf(project: TestProject): Project {
  const { configFile, plugins } = project.vite.config
  const plugin = plugins.find(({ name }) => name === 'vitest-model-cache')
  return {
    ...{ name: project.name, root: project.config.root, configFile, options: plugin?.api?.options },
    ...{ hasPlugin: plugin !== undefined, isBrowser: project.isBrowserEnabled() },
  }
}

/** Checks which projects have the plugin, and which config gives it to them. */
export function checkProjects({ file, options, projects }: ProjectsConfig, from: string): Check {
  const name = 'projects'
  const { served, inBrowsers } = options ? leftToRoot(file, projects) : { served: [], inBrowsers: [] }
  const own = projects.filter(({ hasPlugin }) => hasPlugin)
  const without = projects.filter((project) => !own.includes(project) && !served.includes(project))
  const parts = [
    ...(own.length > 0 ? [`${namesOf(own, from)} with their own modelCache()`] : []),
    ...(served.length > 0 ? [`${namesOf(served, from)} with that of the root config`] : []),
    ...(without.length > 0 ? [`${namesOf(without, from)} without`] : []),
  ]
  const text = `${count(projects.length, 'project')}: ${parts.join('; ')}`
  if (own.length + served.length > 0 && inBrowsers.length === 0) return ok(name, text)
  return warn(
    name,
    text,
    'Add modelCache() to the configs of the projects that use models, or set `extends: true` there.',
  )
}

function namesOf(projects: Project[], from: string): string {
  return projects.map(({ name, root }) => name || relative(from, root) || '.').join(', ')
}
