import type { Model } from '../../model/model.ts'
import type { TestConfig } from './read-config.ts'

/** The models that the configs of Vitest and Jest declare, and those that their projects declare. */
export async function declaredModels(config: TestConfig | undefined): Promise<Model[]> {
  const { vitest, jest } = config ?? {}
  const own = [vitest?.options ?? [], jest?.options ?? []].flat().flatMap(({ models }) => models)
  if (!vitest?.hasProjects) return own
  const { withProjects } = await import('../doctor/projects.ts')
  const { projects } = await withProjects(vitest)
  return [...own, ...projects.flatMap(({ options }) => options?.models ?? [])]
}
