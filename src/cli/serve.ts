import { once } from 'node:events'
import process from 'node:process'
import { serveToken } from '../config/environment-variables.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { ModelCacheError } from '../model/errors.ts'
import { count } from '../report/words.ts'
import type { RequestLine } from '../serve/desk.ts'
import type { ServeTotals } from '../serve/serve.ts'
import { serve as startServer } from '../serve/serve.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { isQuiet, isVerbose } from './show/verbosity.ts'

interface ServeFlags extends GlobalOptions {
  host: string
  port: number
  pullThrough?: boolean
  token?: string
}

/** Serves the cache as a read-only Hub until the command is interrupted. */
export async function serve(flags: ServeFlags): Promise<number> {
  const { host, port, pullThrough = false } = flags
  const token = checkedToken(flags.token ?? serveToken(process.env))
  const { cache } = await openCache(flags, { needsWriting: pullThrough, usesLockFile: false })
  const { options } = cache.context
  const server = await startServer({
    ...{ cache: options, host, port, pullThrough, token },
    onRequest: isVerbose() ? (line) => printNotes(textOf(line)) : undefined,
    onProblem: (message) => printNotes(message),
  })
  const { url } = server
  const canPull = pullThrough && !options.offline
  if (flags.json)
    printJson({
      url,
      host,
      port: server.port,
      cacheDir: options.cacheDir,
      pullThrough: canPull,
      token: token !== undefined,
    })
  else {
    const missing = canPull ? `missing files are downloaded from ${options.hub.endpoint}` : 'nothing is downloaded'
    printLines(`Serving the models of ${options.cacheDir} (read-only, ${missing}). Ctrl-C ends the server.`)
    printLines(`HF_ENDPOINT=${url}`)
  }
  if (pullThrough && !canPull) printNotes('--pull-through has no effect: the cache is offline.')
  if (server.warning !== undefined) printNotes(server.warning)
  if (!interrupted.aborted) await once(interrupted, 'abort')
  const totals = await server.close()
  if (!isQuiet()) printNotes(summaryOf(totals, canPull))
  return 0
}

/** A header can hold these characters only. An empty token, such as a script's variable that is not set, must not mean none. */
function checkedToken(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'The token of `serve`',
    reason: token === '' ? 'It is empty.' : 'It has characters that a header can not hold.',
    nextStep: 'Use letters, digits and signs of ASCII, without spaces: --token, or MODEL_CACHE_SERVE_TOKEN.',
  })
}

function textOf({ client, method, path, status, bytes, ms, isComplete }: RequestLine): string {
  const end = isComplete ? '' : ' (the client closed the connection)'
  return `${client} ${method} ${path} ${status} ${formatSize(bytes)} ${formatDuration(ms)}${end}`
}

function summaryOf({ requests, sentBytes, downloadedBytes, ms }: ServeTotals, canPull: boolean): string {
  const downloaded = canPull ? `, downloaded ${formatSize(downloadedBytes)}` : ''
  return `Answered ${count(requests, 'request')} in ${formatDuration(ms)}: sent ${formatSize(sentBytes)}${downloaded}.`
}
