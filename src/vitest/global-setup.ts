import type { TestProject } from 'vitest/node'
import type { Options } from '../config/options.ts'
import { CHANNEL, type Provided } from './channel.ts'
import { openSession, optionsByHand } from './session.ts'
import { warmUp } from './warm-up.ts'

/** Warms the cache for one project before its tests, and provides to its workers what they need. */
export default async function globalSetup(project: TestProject): Promise<() => Promise<void>> {
  const session = openSession(project.vitest, optionsByHand(project.config))
  const options = session.projects.get(project) ?? optionsByHand(project.config)
  const isWarmed = options.mode === 'integration'
  const manifest = isWarmed ? await warmUp(session, project, options) : { models: [], failures: [] }
  project.provide(CHANNEL, provided(session.runId, project, options, manifest))
  return () => session.lease.release()
}

/** The options that workers need, name by name: the token must never be among them. */
function provided(runId: string, project: TestProject, options: Options, manifest: Provided['manifest']): Provided {
  const { mode, debug, cacheDir, offline, maxSize, maxAge, hub } = options
  const { endpoint, concurrency } = hub
  const cache = { cacheDir, offline, maxSize, maxAge, hub: { endpoint, concurrency } }
  return { runId, root: project.config.root, mode, debug, cache, manifest }
}
