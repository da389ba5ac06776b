import pLimit from 'p-limit'
import type { Connections } from '../../hub/download-request.ts'

/** The connections of a cache. A download waits for its first connection, and gets more connections while some are free. */
export interface ConnectionBudget extends Connections {
  run<T>(work: () => Promise<T>): Promise<T>
}

/** A budget of `most` connections, which the downloads of all models share. */
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
