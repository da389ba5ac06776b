import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Vite } from 'vitest/node'
import type { Answer } from '../../intercept/answer.ts'
import { sendAnswer } from '../../intercept/send-answer.ts'
import { messageOf } from '../../model/errors.ts'
import { fromAddress, OUTCOME, type Outcome, PREFIX, TEST_FILE } from './channel.ts'
import { isOwnPage } from './own-page.ts'
import { type BrowserService, findService, type Result } from './service.ts'

// In bytes. The longest bodies are queries of the Hub's API, which list paths.
const LONGEST_BODY = 1 << 20

/** Answers the requests below `/__vitest-model-cache__/`, of all browsers that this process serves. */
export async function answerBrowser(
  server: Vite.ViteDevServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // The browser must not store a second copy of a file, and must not guess its type.
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  const [key = '', ...rest] = (request.url ?? '').slice(PREFIX.length).split('/')
  const service = isOwnPage(server, request) ? findService(key) : undefined
  const url = fromAddress(rest.join('/'))
  if (!service || !url) return send(response, 'refused', plain(403, 'Only pages of this test run are served.'))
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    const result = await ask(service, url, request, gone.signal)
    await send(response, ...outcomeOf(result))
  } catch (error) {
    // The page was closed, or reading the file failed after the headers were sent.
    if (response.headersSent || gone.signal.aborted) response.destroy()
    else await send(response, 'refused', plain(500, messageOf(error)))
  }
}

async function ask(
  service: BrowserService,
  url: string,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Result> {
  const { method = 'GET', headers } = request
  const hasBody = method !== 'GET' && method !== 'HEAD'
  if (hasBody && !(Number(headers['content-length']) <= LONGEST_BODY)) return { error: undefined, isPassedOn: true }
  const body = hasBody ? await text(request) : undefined
  const testFile = decodeURIComponent(String(headers[TEST_FILE.toLowerCase()] ?? ''))
  const get = (name: string) => headers[name.toLowerCase()]?.toString()
  return service.answer({ url, method, headers: { get }, body, signal }, testFile)
}

function outcomeOf(result: Result): [Outcome, Answer] {
  if ('answer' in result) return ['served', result.answer]
  const { error, isPassedOn } = result
  if (isPassedOn) return ['refused', plain(403, error?.message ?? 'This is not answered from the cache.')]
  const headers = { 'Content-Type': 'application/json' }
  return ['failed', { status: 502, headers, body: JSON.stringify(error) }]
}

function plain(status: number, body: string): Answer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body }
}

async function send(response: ServerResponse, outcome: Outcome, answer: Answer): Promise<void> {
  await sendAnswer(response, answer, { [OUTCOME]: outcome })
}
