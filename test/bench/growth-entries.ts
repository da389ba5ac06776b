import { join } from 'node:path'
import { type Hub, startHub } from '../support/hub/index.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { addLookedUp, LOOKED_UP, makeEntries } from './many-entries.ts'
import { PROGRAMS, runCommand, runProgram } from './programs.ts'
import { interleave, sample } from './rounds.ts'
import type { BenchContext, Growth } from './row.ts'

/** Measures a lookup and commands in separate processes. Each process measures its own time, without the start of Node.js. */
export async function growthOfEntries({ packageDirectory, isQuick }: BenchContext): Promise<Growth[]> {
  const counts = isQuick ? [1, 1000] : [1, 10, 100, 1000]
  const project = await ProjectFolder.create({ packageDirectory, files: PROGRAMS })
  const hub = await startHub()
  try {
    addLookedUp(hub)
    const caches = new Map(counts.map((count) => [count, join(project.directory, `cache of ${count}`)]))
    for (const [count, cacheDir] of caches) await makeEntries(project, hub, cacheDir, count)
    hub.clearRequests()
    const ways = [...caches].flatMap(([count, cacheDir]) => waysAt(project, hub, count, cacheDir))
    const times = await interleave(Object.fromEntries(ways), isQuick ? 1 : 5)
    if (hub.requests.length > 0) throw new Error('A cached model was requested from the Hub.')
    return Object.entries(LINES).map(([name, what]) => ({
      ...{ axis: 'entries', what, unit: 'ms' },
      points: counts.map((at) => ({ at, value: sample(times[`${name} ${at}`] ?? []) })),
    }))
  } finally {
    await hub.close()
    await project.remove()
  }
}

const LINES = {
  lookup: 'lookup of a cached model, fresh process',
  status: '`status`, whole process',
  ls: '`ls`, whole process',
  warm: '`warm` of a cached model, whole process',
}

function waysAt(project: ProjectFolder, hub: Hub, count: number, cacheDir: string): [string, () => Promise<number>][] {
  const env = { HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: cacheDir }
  const command = (name: keyof typeof LINES, ...args: string[]): [string, () => Promise<number>] => [
    `${name} ${count}`,
    async () => (await runCommand(project, [name, ...args], env)).ms,
  ]
  return [
    [`lookup ${count}`, async () => (await runProgram(project, ['lookup.mjs', LOOKED_UP, '4'], env)).ms],
    command('status'),
    command('ls'),
    command('warm', LOOKED_UP),
  ]
}
