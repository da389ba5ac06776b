/**
 * The place from which a request was served: `memory` (already loaded in this worker), `disk` (our cache), `adopted`
 * (found in the user's own Hugging Face cache), `cold` (packed), `remote` (shared cache), `hub` (downloaded: a miss).
 */
export const TIERS = ['memory', 'disk', 'adopted', 'cold', 'remote', 'hub'] as const
export type Tier = (typeof TIERS)[number]
