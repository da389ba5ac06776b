import type { Hub, LoggedRequest } from './hub/index.ts'
import type { ProjectFolder, RunResult } from './project-folder.ts'

export interface ColdAndWarm {
  cold: RunResult
  warm: RunResult
  /** The requests that the Hub received in each run. */
  asked: { cold: LoggedRequest[]; warm: LoggedRequest[] }
}

/** Runs the tests of a project twice: with an empty cache, then with what the first run left in it. */
export async function runColdAndWarm(
  project: ProjectFolder,
  hub: Hub,
  env: Record<string, string>,
  { warmEnv = env }: { warmEnv?: Record<string, string> } = {},
): Promise<ColdAndWarm> {
  hub.clearRequests()
  // Tests download what they need themselves. Else what their sources name would be there before them.
  const cold = await project.vitest([], { MODEL_CACHE_WARM: 'declared', ...env })
  const inCold = [...hub.requests]
  hub.clearRequests()
  // A run that hangs is ended after 280 s. Another one would take longer than a hook may.
  const warm = cold.exitCode === 0 ? await project.vitest([], warmEnv) : cold
  return { cold, warm, asked: { cold: inCold, warm: [...hub.requests] } }
}
