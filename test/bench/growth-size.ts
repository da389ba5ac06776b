import { randomFillSync } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hub, startHub } from '../support/hub/index.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { PROGRAMS, runProgram } from './programs.ts'
import { interleave, sample } from './rounds.ts'
import type { BenchContext, Growth } from './row.ts'

const MEGABYTE = 2 ** 20

interface Measured {
  coldMs: number
  extraBytes: number
  lookupMs: number
  verifyMs: number
}

/** Downloads a model with one large file over loopback, looks it up and verifies it, each in a separate process. */
export async function growthOfSize({ packageDirectory, isQuick }: BenchContext): Promise<Growth[]> {
  const sizes = [1, 10, 100, ...(isQuick ? [] : [1024])].map((megabytes) => megabytes * MEGABYTE)
  const project = await ProjectFolder.create({ packageDirectory, files: PROGRAMS })
  const hub = await startHub()
  try {
    for (const size of sizes) await addModel(project, hub, size)
    const ways = sizes.map((size) => [String(size), () => measure(project, hub, size)] as const)
    const measured = await interleave(Object.fromEntries(ways), isQuick ? 1 : 3)
    const line = (what: string, unit: Growth['unit'], figure: (each: Measured, size: number) => number): Growth => ({
      ...{ axis: 'bytes', what, unit },
      points: sizes.map((at) => ({ at, value: sample((measured[at] ?? []).map((each) => figure(each, at))) })),
    })
    return [
      line('cold over loopback, for each MiB', 'ms', ({ coldMs }, size) => (coldMs / size) * MEGABYTE),
      line('`verify` in a script', 'ms', ({ verifyMs }) => verifyMs),
      line('warm lookup, fresh process', 'ms', ({ lookupMs }) => lookupMs),
      line('peak memory beyond that before, cold', 'bytes', ({ extraBytes }) => extraBytes),
    ]
  } finally {
    await hub.close()
    await project.remove()
  }
}

async function addModel(project: ProjectFolder, hub: Hub, size: number): Promise<void> {
  const folder = join(project.directory, 'made', String(size))
  await mkdir(folder, { recursive: true })
  const file = await open(join(folder, 'weights.bin'), 'w')
  const piece = randomFillSync(Buffer.alloc(MEGABYTE))
  for (let at = 0; at < size; at += MEGABYTE) await file.write(piece)
  await file.close()
  hub.addRepo(nameOf(size), { directory: folder, files: { 'config.json': '{}' } })
}

async function measure(project: ProjectFolder, hub: Hub, size: number): Promise<Measured> {
  const cacheDir = join(project.directory, 'cache')
  await removeFolder(cacheDir)
  const env = { HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: cacheDir }
  const cold = await runProgram<'ms' | 'extraBytes'>(project, ['bring-in.mjs', nameOf(size)], env)
  const lookup = await runProgram(project, ['lookup.mjs', nameOf(size), '2'], env)
  const verify = await runProgram(project, ['verify.mjs'], env)
  return { coldMs: cold.ms, extraBytes: cold.extraBytes, lookupMs: lookup.ms, verifyMs: verify.ms }
}

function nameOf(size: number): string {
  return `org/size-${size}`
}
