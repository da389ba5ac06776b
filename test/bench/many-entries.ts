import type { Hub } from '../support/hub/index.ts'
import { manyModels, writeCache } from '../support/many-models.ts'
import type { ProjectFolder } from '../support/project-folder.ts'
import { runProgram } from './programs.ts'

/** The model of four small files that is looked up. */
export const LOOKED_UP = 'org/model-0000'

export function addLookedUp(hub: Hub): void {
  for (const { repo, files } of manyModels(1)) hub.addRepo(repo, { files })
}

/** Writes a cache of `count` models. The engine downloads one of them from the Hub; the others are written directly. */
export async function makeEntries(project: ProjectFolder, hub: Hub, cacheDir: string, count: number): Promise<void> {
  await writeCache(cacheDir, manyModels(count).slice(1))
  await runProgram(project, ['bring-in.mjs', LOOKED_UP], { HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: cacheDir })
}
