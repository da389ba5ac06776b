// The download of a model to an empty cache by a script (`openModelCache().warm`), compared with other downloaders. Measures whole
// processes.
import { ColdProject, type ColdRun, type ServedModel } from './cold-project.ts'
import { costRows, walls } from './cost-rows.ts'
import { missingPeers, type Peer } from './peers.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const CAP = 50_000_000
const FILE = 'model.onnx'

type Ways = Record<string, () => Promise<ColdRun>>

export async function coldDownload({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const { missing, notes } = await missingPeers(['aria2c', 'curl', 'openssl', 'tee'])
  const cold = await ColdProject.create(packageDirectory)
  try {
    const model = await cold.serve('org/model', 100_000_000)
    const large = isQuick ? model : await cold.serve('org/large', 500_000_000)
    const tiny = await cold.serve('org/tiny', 1000)
    const rows = [
      ...(await capped(cold, model, missing, isQuick ? 1 : 5)),
      ...(await uncapped(cold, { large, tiny }, missing, isQuick ? 2 : 5)),
    ]
    return { rows, notes }
  } finally {
    await cold.remove()
  }
}

/** With a rate limit for each connection, as CDNs have it. */
async function capped(cold: ColdProject, model: ServedModel, missing: Set<Peer>, rounds: number): Promise<Row[]> {
  const { repo, url, bytes } = model
  const left = { file: FILE, bytes }
  const aria2c = (...options: string[]) =>
    cold.run('aria2c', (folder) => ['-q', '--no-conf', '-x8', '-s8', ...options, '-d', folder, '-o', FILE, url], left)
  const ways: Ways = {
    ours: cold.node(() => ['warm.mjs', repo]),
    ...(!missing.has('aria2c') && { 'aria2c -x8 -s8': aria2c(), 'aria2c -x8 -s8 -k1M': aria2c('-k1M') }),
    ...(!missing.has('curl') && {
      curl: cold.run('curl', (folder) => ['-sSfL', '-o', `${folder}/${FILE}`, url], left),
    }),
    '@huggingface/hub': cold.node((folder) => ['snapshot.mjs', repo, `${folder}/hub`]),
    'our command line': cold.node(() => ['node_modules/vitest-model-cache/dist/cli/main.js', 'warm', repo]),
  }
  cold.hub.throttle({ perConnection: CAP })
  const found = await interleave(ways, rounds)
  cold.hub.throttle({})
  return rowsOf('cold 100 MB at 50 MB/s a connection', model, found, { 'aria2c -x8 -s8': 1.25 })
}

/** Without a rate limit, where the CPU is the limit. */
async function uncapped(
  cold: ColdProject,
  { large, tiny }: Record<'large' | 'tiny', ServedModel>,
  missing: Set<Peer>,
  rounds: number,
): Promise<Row[]> {
  const { repo, url, sha256, bytes } = large
  const pipe = (path: string) => `curl -sSfL '${url}' | tee '${path}' | openssl dgst -sha256`
  const hasPipe = !(['curl', 'tee', 'openssl'] as const).some((peer) => missing.has(peer))
  const ways: Ways = {
    ours: cold.node(() => ['warm.mjs', repo]),
    'one stream': cold.node((folder) => ['one-stream.mjs', url, `${folder}/${FILE}`, sha256]),
    ...(hasPipe && {
      'curl | tee | openssl': cold.run('sh', (folder) => ['-c', pipe(`${folder}/${FILE}`)], { file: FILE, bytes }),
    }),
    'ours, a tiny model': cold.node(() => ['warm.mjs', tiny.repo]),
  }
  const found = await interleave(ways, rounds)
  const of = `cold ${bytes / 1_000_000} MB, uncapped`
  const extra = (found.ours ?? []).flatMap(({ peakBytes = Number.NaN }, index) => {
    const least = found['ours, a tiny model']?.[index]?.peakBytes
    return least === undefined ? [] : [peakBytes - least]
  })
  const memory: Row = {
    what: `${of}: peak memory beyond that for a tiny model`,
    unit: 'bytes',
    value: sample(extra),
    atMost: 64_000_000,
  }
  return [...rowsOf(of, large, found, { 'one stream': 1.1 }), ...(extra.length > 0 ? [memory] : [])]
}

/** The ratios to the other downloaders first, then the costs of each, and the bytes and requests at the Hub. */
function rowsOf(
  of: string,
  { totalBytes }: ServedModel,
  { ours = [], ...others }: Record<string, ColdRun[]>,
  atMost: Record<string, number>,
): Row[] {
  const peers = Object.entries(others).filter(([name]) => !name.startsWith('our'))
  const ratios = peers.map(
    ([name, runs]): Row => ({
      what: `${of}: wall against ${name}`,
      unit: 'x',
      value: paired(walls(ours), walls(runs)),
      atMost: atMost[name],
    }),
  )
  const wire: Row = {
    what: `${of}: bytes on the wire against the files'`,
    unit: 'x',
    value: sample(ours.map(({ wireBytes }) => wireBytes / totalBytes)),
    // The listing is downloaded too.
    atMost: 1.001,
  }
  const requests = Object.entries({ ours, ...others }).map(
    ([name, runs]): Row => ({
      what: `  ${name}: requests`,
      unit: 'requests',
      value: sample(runs.map((run) => run.requests)),
    }),
  )
  const costs = Object.entries({ ours, ...others }).flatMap(([name, runs]) => costRows(name, runs))
  return [...ratios, wire, ...costs, ...requests]
}
