// The functions that a warm run needs, as one module: Node.js takes a millisecond or more for each module that it loads.

export { cacheStatistics } from './inspect/statistics.ts'
export { listEntries } from './lookup/list-entries.ts'
export { findLocked } from './lookup/locked.ts'
export { treeOf } from './lookup/tree-of.ts'
export { makeManifest } from './make-manifest.ts'
export { recordUses } from './upkeep/record-uses.ts'
export { warmModels } from './warm.ts'
