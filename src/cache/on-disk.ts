// What looks at the cache folder, and keeps its records: all that a warm run of tests needs of it, loaded as one when the first of it
// is asked for. Node.js takes a millisecond or more for each file that is loaded by itself.
export { listEntries } from './list-entries.ts'
export { findOnDisk } from './locate-on-disk.ts'
export { makeManifest } from './make-manifest.ts'
export { ownTree } from './origin-words.ts'
export { recordUses } from './record-uses.ts'
export { whoElseWrites } from './shared-folder.ts'
export { cacheStatistics } from './statistics.ts'
export { Metadata } from './store/metadata.ts'
export { readAllRuns, readRuns, writeRun } from './store/runs.ts'
export { warmModels } from './warm.ts'
