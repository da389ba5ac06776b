import type { RequestEvent, Workers } from '../model/request.ts'
import { groupBy } from '../platform/group-by.ts'
import { sum } from './distribution.ts'
import type { Sharing } from './types.ts'

type Asked = Pick<RequestEvent, 'files' | 'selection' | 'loadMs' | 'loads' | 'isKept'>

/** A request and the test file that made it. `workers` is undefined where nothing can be shared, or where that is not known. */
export type LoadingRequest = Asked & { testFile?: string; workers?: Workers }

/** How often the runtime loaded the model for a request. An older version counted no loads. */
export function loadsOf({ loads, loadMs }: Pick<RequestEvent, 'loads' | 'loadMs'>): number {
  return loads ?? (loadMs === null ? 0 : 1)
}

/** The times of the loads of a request. If there were several, only their sum was measured: each gets the mean. */
export function loadTimes(request: Pick<RequestEvent, 'loads' | 'loadMs'>): number[] {
  const { loadMs } = request
  if (loadMs === null) return []
  const count = Math.max(1, loadsOf(request))
  return Array.from({ length: count }, () => loadMs / count)
}

/** What sharing a loaded model would spare, from the loads of one model. Null if it would spare nothing. Pure. */
export function sharingOf(requests: LoadingRequest[]): Sharing | null {
  const groups = groupBy(
    requests.filter((request) => loadsOf(request) > 0),
    keyOf,
  )
  const found = [...groups.values()].flatMap((group) => sharingOfGroup(group) ?? [])
  const ways = [...groupBy(found, ({ by }) => by).values()].map(
    (same): Sharing => ({
      by: same[0]?.by ?? 'file',
      workers: sum(same.map(({ workers }) => workers)),
      loads: sum(same.map(({ loads }) => loads)),
      ms: sum(same.map(({ ms }) => ms)),
    }),
  )
  return ways.sort((a, b) => b.ms - a.ms)[0] ?? null
}

/** Requests with equal keys could have used the same loaded model. */
function keyOf({ workers, isKept, selection, files }: LoadingRequest): string {
  const weights = files.flatMap(([path]) => (path.endsWith('.onnx') ? path : [])).sort()
  return JSON.stringify([workers?.group, isKept ? selection : weights])
}

function sharingOfGroup(requests: LoadingRequest[]): Sharing | undefined {
  const { workers, isKept } = requests[0] ?? {}
  if (!workers) return undefined
  const byFile = [...groupBy(requests, ({ testFile }) => testFile).values()]
  const inFile = byFile.map((requests) => sum(requests.map(loadsOf)))
  const [loads, files] = [sum(inFile), byFile.length]
  // As many workers load the model at most: a worker may get several test files, and none gets less than one.
  const loading = Math.min(files, workers.most)
  const by = wayOf(workers, isKept ?? false, files)
  // Instances that a worker keeps differ by their options. One worker may need each of them.
  const left = by === 'isolate' ? loading * Math.max(...inFile) : loading
  if (left >= loads) return undefined
  const ms = sum(requests.map(({ loadMs }) => loadMs ?? 0))
  return { by, workers: loading, loads: loads - left, ms: (ms / loads) * (loads - left) }
}

/** What it takes to share the loaded model. */
function wayOf({ isIsolated, most, sharesOnlyModels }: Workers, isKept: boolean, files: number): Sharing['by'] {
  const hasSharedWorkers = files > most
  if (isKept) return hasSharedWorkers && isIsolated ? 'isolate' : 'options'
  if (!hasSharedWorkers) return 'file'
  if (sharesOnlyModels) return 'models'
  return isIsolated ? 'isolate-module' : 'module'
}
