import { join } from 'node:path'
import { originKey } from '../../../model/origin-key.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../list-folder.ts'
import { Origin, readEndpoint } from '../origin.ts'

// What an archive states about an endpoint's repos is stored beside that endpoint's own answers, in `origins/<key>.imported/`. An archive
// can state anything. So these answers are used only where the endpoint is not asked, and `knownOrigins` leaves them out.

const ENDING = '.imported'

/** The folder for what archives state about the repos of an endpoint. */
export function importedOrigin(layout: Layout, endpoint: string): Origin {
  return new Origin(layout, endpoint, originKey(endpoint) + ENDING)
}

/** The folders with the statements of archives. That of the `preferred` endpoint, if one is given, comes first. */
export function importedOrigins(layout: Layout, preferred?: string): Origin[] {
  const found = entriesIn(layout.origins).flatMap(({ name }) => {
    const endpoint = name.endsWith(ENDING) ? readEndpoint(join(layout.origins, name)) : undefined
    return endpoint !== undefined && originKey(endpoint) + ENDING === name ? [importedOrigin(layout, endpoint)] : []
  })
  return found.sort((a, b) => Number(b.endpoint === preferred) - Number(a.endpoint === preferred))
}
