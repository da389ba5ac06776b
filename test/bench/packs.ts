// Packed models that are restored, compared with `zstd -d`, a copy and `tar -xzf` of the same weights. Measures whole processes.
import { cp, link, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { removeFolder } from '../support/remove-folder.ts'
import { ColdProject, type ColdRun } from './cold-project.ts'
import { costRows, cpuMs, walls } from './cost-rows.ts'
import { makeWeights, type WeightType } from './made-weights.ts'
import { missingPeers } from './peers.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const MEGABYTE = 1_000_000
/** The aim for restoring: this rate, or 0.9 of that of `zstd -d`. */
const AIM_BYTES_PER_MS = 400_000

interface Part {
  type: WeightType
  megabytes: number
  /** Models that are restored at once. */
  models: number
  /** Processes that restore one model each at once. */
  processes: number
  rounds: number
}

const ONE: Part = { type: 'fp32', megabytes: 500, models: 1, processes: 1, rounds: 7 }
const PARTS: Record<string, Part> = {
  quick: { ...ONE, megabytes: 100, rounds: 1 },
  '500': ONE,
  '1500': { ...ONE, megabytes: 1500, rounds: 3 },
  fp16: { ...ONE, type: 'fp16', rounds: 5 },
  int8: { ...ONE, type: 'int8', rounds: 5 },
  two: { ...ONE, models: 2, rounds: 5 },
  processes: { ...ONE, megabytes: 300, models: 4, processes: 4, rounds: 3 },
}

/** A cache with packed models, and their weights as other programs keep them. */
interface Packed {
  cacheDir: string
  repos: string[]
  /** The weights of the first model: as they are, and compressed. */
  weights: string
  zst: string
  tgz: string
  /** What packing told: bytes of the files, what they take when they are packed, and processor time. */
  packed: { bytes: number; packedBytes: number; cpuMs: number }
}

export async function packs({ packageDirectory, isQuick, only }: BenchContext): Promise<Findings> {
  const { missing, notes } = await missingPeers(['zstd', 'openssl'])
  const rows: Row[] = []
  const names = only ?? (isQuick ? ['quick'] : Object.keys(PARTS).filter((name) => name !== 'quick'))
  for (const part of names.flatMap((name) => PARTS[name] ?? [])) {
    const cold = await ColdProject.create(packageDirectory)
    try {
      const packed = await packedModels(cold, part, missing)
      rows.push(...(await measured(cold, part, packed, missing)))
    } finally {
      await cold.remove()
    }
  }
  return { rows, notes }
}

async function packedModels(
  cold: ColdProject,
  { type, megabytes, models }: Part,
  missing: ReadonlySet<string>,
): Promise<Packed> {
  const folder = await cold.freshFolder()
  const repos = Array.from({ length: models }, (_, index) => `org/weights-${index}`)
  for (const repo of [...repos, 'org/tiny']) {
    const directory = join(folder, repo)
    await makeWeights(join(directory, 'model.bin'), type, repo === 'org/tiny' ? 1000 : megabytes * MEGABYTE)
    cold.hub.addRepo(repo, { directory, lfsThreshold: 0 })
  }
  const weights = join(folder, repos[0] ?? '', 'model.bin')
  const env = { MODEL_CACHE_DIR: join(folder, 'cache'), MODEL_CACHE_MAX_SIZE: '20GB' }
  await cold.node(() => ['warm.mjs', ...repos, 'org/tiny'], env)()
  const { stdout } = await cold.node(() => ['pack.mjs'], env)()
  const [zst, tgz] = [join(folder, 'weights.zst'), join(folder, 'weights.tgz')]
  if (!missing.has('zstd')) await execa('zstd', ['-q', '-3', weights, '-o', zst])
  await execa('tar', ['--use-compress-program=gzip -1', '-cf', tgz, '-C', join(weights, '..'), 'model.bin'])
  return { cacheDir: env.MODEL_CACHE_DIR, repos, weights, zst, tgz, packed: JSON.parse(stdout) }
}

async function measured(cold: ColdProject, part: Part, packed: Packed, missing: ReadonlySet<string>): Promise<Row[]> {
  const { type, megabytes, models, processes, rounds } = part
  const { repos, weights, zst, tgz } = packed
  const each = Math.ceil(repos.length / processes)
  const groups = Array.from({ length: processes }, (_, index) => repos.slice(index * each, (index + 1) * each))
  const restoring = (groups: string[][]) => async () => {
    const folder = await cold.freshFolder()
    await linkFolder(packed.cacheDir, join(folder, 'cache'))
    const args = groups.map((group) => group.join(' '))
    const env = { MODEL_CACHE_DIR: join(folder, 'cache'), HF_HUB_OFFLINE: '1', MODEL_CACHE_MAX_SIZE: '20GB' }
    const run = await cold.node(() => ['restore-packed.mjs', ...args], env)()
    await removeFolder(folder)
    return run
  }
  const plain = (command: string, args: (folder: string) => string[]) => cold.run(command, args)
  const shell = (line: string) => plain('sh', (folder) => ['-c', line, ...[zst, weights, tgz, join(folder, 'out')]])
  const ways: Record<string, () => Promise<ColdRun>> = {
    ours: restoring(groups),
    'ours, a tiny model': restoring([['org/tiny']]),
  }
  if (models === 1) {
    if (missing.size === 0) {
      ways['zstd -d'] = shell('zstd -q -d -c "$0" >"$3"')
      ways['zstd -d | openssl'] = shell('zstd -q -d -c "$0" | tee "$3" | openssl dgst -sha256')
    }
    ways.cp = shell('cp "$1" "$3"')
    ways['tar -xzf'] = shell('mkdir "$3" && tar -C "$3" -xzf "$2"')
  }
  const runs = await interleave(ways, rounds)
  const bytes = models * megabytes * MEGABYTE
  const many = processes > 1 ? `${models} x ` : models > 1 ? `${models} at once, each ` : ''
  const who = processes > 1 ? `, ${processes} processes at once` : ''
  return rowsOf(`${many}${megabytes} MB of ${type}${who}`, bytes, runs, packed)
}

function rowsOf(of: string, bytes: number, runs: Record<string, ColdRun[]>, { packed }: Packed): Row[] {
  const { ours = [], 'zstd -d': zstd, 'zstd -d | openssl': checked } = runs
  const inside = ours.map(({ stdout }): { ms: number; cpuMs: number } => JSON.parse(stdout))
  const [ms, cpu] = [inside.map(({ ms }) => ms), inside.map(({ cpuMs }) => cpuMs)]
  const extra = ours.map(({ peakBytes = 0 }, at) => peakBytes - (runs['ours, a tiny model']?.[at]?.peakBytes ?? 0))
  const cpuOf = (costs: ColdRun[]) => costs.map((cost) => cpuMs(cost) ?? Number.NaN)
  const ratio = (what: string, value: number[], other: number[] | undefined, atMost?: number): Row[] =>
    other ? [{ what: `${of}: ${what}`, unit: 'x', value: paired(value, other), atMost }] : []
  return [
    { what: `${of}: restored`, unit: 'ms', value: sample(ms), atMost: bytes / AIM_BYTES_PER_MS },
    ...ratio('its time against zstd -d', ms, zstd && walls(zstd), 1 / 0.9),
    ...ratio('its time against cp', ms, runs.cp && walls(runs.cp)),
    ...ratio('its time against tar -xzf', ms, runs['tar -xzf'] && walls(runs['tar -xzf'])),
    ...ratio('its processor time against zstd -d | openssl', cpu, checked && cpuOf(checked)),
    { what: `${of}: processor time of restoring`, unit: 'ms', value: sample(cpu) },
    { what: `${of}: peak memory beyond that for a tiny model`, unit: 'bytes', value: sample(extra) },
    { what: `${of}: size when packed`, unit: 'x', value: sample([packed.packedBytes / packed.bytes]) },
    { what: `${of}: processor time of packing`, unit: 'ms', value: sample([packed.cpuMs]) },
    ...Object.entries(runs).flatMap(([way, costs]) => costRows(way, costs)),
  ]
}

/** Copies a cache. Pack files are never changed, so they get a second name. */
async function linkFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  for (const name of await readdir(from)) {
    const [source, target] = [join(from, name), join(to, name)]
    if ((await stat(source)).isDirectory()) await linkFolder(source, target)
    else if (name.endsWith('.pack')) await link(source, target)
    else await cp(source, target)
  }
}
