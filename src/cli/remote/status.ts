import { type RemoteStatus, remoteStatus, type SharedModel } from '../../cache/remote-status.ts'
import { formatDuration, formatSize } from '../../config/units.ts'
import { count } from '../../report/words.ts'
import { interrupted } from '../interruption.ts'
import { type GlobalOptions, openCache } from '../open-cache.ts'
import { printJson } from '../show/json.ts'
import { printLines } from '../show/print.ts'
import { columnsOf, paint } from '../show/style.ts'
import { type Column, renderTable } from '../show/table.ts'

const NAME_WIDTH = 10

/** Prints whether the remote answers, what may be done with it, and what it has of the cached models. The exit code is 1 if it fails. */
export async function status(options: GlobalOptions): Promise<number> {
  const { cache } = await openCache(options)
  const found = await remoteStatus(cache.context, await cache.list(), { signal: interrupted })
  const pending = pendingOf(found)
  if (options.json) printJson({ ...found, pending })
  else print(found, pending)
  return found.failure === null ? 0 : 1
}

interface Pending {
  models: number
  bytes: number
}

/** What `push` would send. */
function pendingOf({ models }: RemoteStatus): Pending {
  const left = models.filter((model) => model.notSent === null && isMissing(model))
  return { models: left.length, bytes: left.reduce((sum, { bytes, presentBytes }) => sum + bytes - presentBytes, 0) }
}

function isMissing({ files, presentFiles, isListed, isSigned }: SharedModel): boolean {
  return presentFiles < files || !isListed || isSigned === false
}

function print(found: RemoteStatus, pending: Pending): void {
  for (const [name, text] of lines(found, pending)) printLines(`${paint('dim', name.padEnd(NAME_WIDTH))} ${text}`)
  if (found.models.length > 0) for (const line of table(found)) printLines(line)
}

function lines(found: RemoteStatus, { models, bytes }: Pending): [string, string][] {
  const { remote, mode, modeReason, latencyMs, failure, canList, keyId } = found
  const list = canList === null ? 'not tried' : canList ? 'yes' : 'no'
  const complete = found.models.filter(({ files, presentFiles }) => presentFiles === files).length
  const waiting = `${count(models, 'model')} (${bytes > 0 ? formatSize(bytes) : 'only lists of files or signatures'})`
  const sends = mode === 'read' ? 'not sent from here' : '`npx vitest-model-cache push` sends them'
  return [
    ['remote', remote],
    ['mode', modeReason === null ? mode : `${mode}: ${modeReason}`],
    ['answers', latencyMs === null ? 'no' : `in ${formatDuration(latencyMs)}`],
    ...(failure === null ? [] : [['failure', failure] as [string, string]]),
    ['rights', `read: ${latencyMs === null ? 'no' : 'yes'} · list: ${list} · write: not tried`],
    ['key', keyId === null ? 'none: what the remote states is not signed' : `${keyId} (MODEL_CACHE_REMOTE_KEY)`],
    ...(failure === null
      ? ([
          ['models', `${complete} of ${count(found.models.length, 'cached model')} there in full`],
          ['pending', models === 0 ? 'none' : `${waiting}: ${sends}`],
        ] as [string, string][])
      : []),
  ]
}

const COLUMNS: Column[] = [
  { header: 'model', isShrinkable: true },
  { header: 'commit' },
  { header: 'files', isRight: true },
  { header: 'size', isRight: true },
  { header: 'on the remote' },
]

function table({ models }: RemoteStatus): string[] {
  const rows = models.map((model) => {
    const { repo, commit, files, presentFiles, bytes, presentBytes } = model
    return [
      repo,
      commit.slice(0, 7),
      `${presentFiles} of ${files}`,
      `${formatSize(presentBytes)} of ${formatSize(bytes)}`,
      stateOf(model),
    ]
  })
  return renderTable(COLUMNS, rows, columnsOf())
}

function stateOf({ files, presentFiles, isListed, isSigned, notSent }: SharedModel): string {
  const part = presentFiles === 0 ? 'no' : presentFiles < files ? 'in part' : 'yes'
  const signed = isSigned === null || !isListed ? '' : isSigned ? ', signed' : ', not signed with our key'
  return `${part}${signed}${notSent === null ? '' : `; not sent: ${notSent}`}`
}
