import { join } from 'node:path'
import { originKey } from '../../../model/origin-key.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../list-folder.ts'
import { Origin, readEndpoint } from '../origin.ts'

/** All endpoints whose answers are stored in the cache folder. A folder that does not name its endpoint is ignored. */
export function knownOrigins(layout: Layout): Origin[] {
  return entriesIn(layout.origins).flatMap(({ name }) => {
    const endpoint = readEndpoint(join(layout.origins, name))
    return endpoint !== undefined && originKey(endpoint) === name ? [new Origin(layout, endpoint)] : []
  })
}
