import pLimit from 'p-limit'
import type { Connections } from '../../hub/download-request.ts'

/** The connections of a cache. A file waits for its first one, and gets more when some are free. */
export interface ConnectionBudget extends Connections {
  run<T>(work: () => Promise<T>): Promise<T>
}

/** As many connections as `most`, shared by the downloads of all models. */
export function openConnections(most: number): ConnectionBudget {
  const limit = pLimit(most)
  return {
    run: (work) => limit(work),
    spare: (lane) => (limit.activeCount + limit.pendingCount < limit.concurrency ? limit(lane) : undefined),
    get inDemand() {
      return limit.pendingCount > 0
    },
  }
}
