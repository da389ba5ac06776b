import type { Model } from '../../model/model.ts'
import type { VitestConfig } from './read-config.ts'

/** The models that the config declares, and those that its projects declare in configs of their own. */
export async function declaredModels(config: VitestConfig | undefined): Promise<Model[]> {
  if (!config) return []
  const own = config.options?.models ?? []
  if (!config.hasProjects) return own
  const { withProjects } = await import('../doctor/projects.ts')
  const { projects } = await withProjects(config)
  return [...own, ...projects.flatMap(({ options }) => options?.models ?? [])]
}
