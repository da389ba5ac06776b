import type { TestProject, Vitest } from 'vitest/node'
import type { Options } from '../config/options.ts'
import ModelCacheReporter from './reporter.ts'
import { openSession, type Session, setUpProject } from './session.ts'
import { wireProject } from './wire-project.ts'

/**
 * Gives the plugin of the root config to the projects that have none of their own, and gives those back. Vitest calls no hook of
 * such a plugin but those of Vite: projects with a config of their own inherit nothing from the root. No project is adopted
 * when one of them has the plugin from the root config: then the others were left out on purpose.
 */
export function adoptProjects(root: TestProject, options: Options): TestProject[] {
  const { vitest } = root
  const session = openSession(vitest)
  if (vitest.projects.some((project) => project.vite.config.configFile === root.vite.config.configFile)) return []
  const without = vitest.projects.filter((project) => !session.projects.has(project))
  const inBrowsers = without.filter((project) => project.isBrowserEnabled())
  if (inBrowsers.length > 0) session.output.note(cannotAdopt(inBrowsers))
  const adopted = without.filter((project) => !project.isBrowserEnabled())
  if (adopted.length === 0) return []
  addReporter(vitest, session)
  for (const project of adopted) {
    setUpProject(session, project, options)
    wireProject(project, options)
  }
  return adopted
}

/** The servers of browsers were made before the tests began. */
function cannotAdopt(projects: TestProject[]): string {
  const names = projects.map(({ name, config }) => name || config.root).join(', ')
  return `The plugin of the root config does not reach projects that run in a browser: ${names}. Add modelCache() to their configs, or use \`extends: true\`.`
}

/** Vitest has made its reporters already, and told them of the run. One that keeps them elsewhere shows no report. */
function addReporter(vitest: Vitest, session: Session): void {
  const reporters: unknown = Reflect.get(vitest, 'reporters')
  if (session.hasReporter || !Array.isArray(reporters)) return
  const reporter = new ModelCacheReporter()
  reporter.onInit(vitest)
  reporter.onTestRunStart()
  reporters.push(reporter)
}
