// What looks at the cache folder, and keeps its records: all that a warm run of tests needs of it, loaded as one when the first of it
// is asked for. Node.js takes a millisecond or more for each file that is loaded by itself.

export { cacheStatistics } from './inspect/statistics.ts'
export { listEntries } from './lookup/list-entries.ts'
export { treeOf } from './lookup/tree-of.ts'
export { makeManifest } from './make-manifest.ts'
export { readAllRuns, readRuns, writeRun } from './store/runs.ts'
export { recordUses } from './upkeep/record-uses.ts'
export { warmModels } from './warm.ts'
