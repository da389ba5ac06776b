import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach } from 'vitest'
import { type Hub, type Repository, startHub } from './hub/index.ts'
import { makeEmbeddingModel, makeSileroVad, makeWhisperModel } from './model-maker/index.ts'
import { removeFolder } from './remove-folder.ts'

/** The first number of the generated embedding model's vector for "A dog" (mean pooling, normalized). */
export const DOG = -0.2976082

const MAKERS = {
  // fp32 is large enough to be loaded mapped, and q8 is not.
  'org/embeddings': (directory: string) => makeEmbeddingModel(directory, { size: 1_200_000, dtypes: ['fp32', 'q8'] }),
  'org/external-data': (directory: string) => makeEmbeddingModel(directory, { size: 500_000, externalData: true }),
  'org/whisper': (directory: string) => makeWhisperModel(directory, { size: 'tiny' }),
  'org/silero-vad': (directory: string) => makeSileroVad(directory),
}
const TASKS: Partial<Record<keyof typeof MAKERS, string>> = {
  'org/embeddings': 'feature-extraction',
  'org/external-data': 'feature-extraction',
  'org/whisper': 'automatic-speech-recognition',
}

export interface ModelsHub {
  hub: Hub
  repo: (name: keyof typeof MAKERS) => Repository
  /** Adds the same model under another name, which is returned. */
  copyOf: (name: keyof typeof MAKERS, copy: string) => string
  /** Environment for a nested run. */
  env: Record<string, string>
}

/** A loopback Hub with generated models, for one test file. Its request log is cleared before each test. */
export async function startModelsHub(names: (keyof typeof MAKERS)[], options?: { token?: string }): Promise<ModelsHub> {
  const directory = await mkdtemp(join(tmpdir(), 'made models '))
  const hub = await startHub(options)
  const repositories = new Map<string, Repository>()
  const add = (name: keyof typeof MAKERS, as: string) =>
    hub.addRepo(as, { directory: join(directory, name), pipelineTag: TASKS[name] })
  for (const name of names) {
    await MAKERS[name](join(directory, name))
    repositories.set(name, add(name, name))
  }
  beforeEach(() => hub.clearRequests())
  afterAll(async () => {
    await hub.close()
    await removeFolder(directory)
  })
  const repo = (name: string) => {
    const found = repositories.get(name)
    if (!found) throw new Error(`startModelsHub was called without ${name}`)
    return found
  }
  const copyOf = (name: keyof typeof MAKERS, copy: string) => {
    add(name, copy)
    return copy
  }
  return { hub, repo, copyOf, env: { HF_ENDPOINT: hub.url } }
}
