// The functions that a warm run needs, as one module: Node.js takes a millisecond or more for each module that it loads.

export { findLocked } from './lookup/locked.ts'
export { treeOf } from './lookup/tree-of.ts'
export { makeManifest } from './make-manifest.ts'
export { beginWarm, warmModels } from './warm.ts'
