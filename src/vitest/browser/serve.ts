import { parseHubUrl } from '../../intercept/hub-url.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { type BrowserProvided, OUTCOME, TEST_FILE, toAddress } from './channel.ts'

type Arguments = Parameters<typeof fetch>

interface Serving extends BrowserProvided {
  /** The test file whose code runs. */
  testFile: string
}

// On the global object: without isolation the next test file brings a module of its own.
const SERVING = Symbol.for('vitest-model-cache.browser')

/** Has `fetch` ask the middleware for what it may have: what it refuses goes to the network as before. */
export function serveFromMiddleware(provided: BrowserProvided, testFile: string): void {
  const isFirst = !Reflect.has(globalThis, SERVING)
  Reflect.set(globalThis, SERVING, { ...provided, testFile } satisfies Serving)
  if (!isFirst) return
  wrapFetch()
  keepNoSecondCopy()
  if (provided.runtimes.length > 0) mapImports(provided)
}

function serving(): Serving {
  return Reflect.get(globalThis, SERVING)
}

function wrapFetch(): void {
  const original = globalThis.fetch
  const wrapped = {
    fetch(this: unknown, ...[input, init]: Arguments): Promise<Response> {
      const pass = () => Reflect.apply(original, this ?? globalThis, [input, init])
      const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url
      const isOurs = [...serving().intercept, ...serving().runtimes].some((base) => url.startsWith(base))
      return isOurs ? ask(original, url, [input, init], pass) : pass()
    },
  }.fetch
  globalThis.fetch = wrapped
}

async function ask(
  original: typeof fetch,
  url: string,
  [input, init]: Arguments,
  pass: () => Promise<Response>,
): Promise<Response> {
  const { address, testFile } = serving()
  const request = new Request(input instanceof Request ? input.clone() : input, init)
  if (!isRead(url, request)) return pass()
  const { method, signal } = request
  const headers = new Headers({ [TEST_FILE]: encodeURIComponent(testFile) })
  // No other header: a token, above all, is none of the middleware's business.
  for (const name of ['Range', 'Content-Type']) {
    const value = request.headers.get(name)
    if (value !== null) headers.set(name, value)
  }
  const body = method === 'POST' ? await request.text() : undefined
  const response = await original(toAddress(address, url), { method, headers, body, signal, cache: 'no-store' })
  const outcome = response.headers.get(OUTCOME)
  if (outcome === 'failed') throw new ModelCacheError(await response.json())
  if (outcome !== 'served') {
    await response.body?.cancel()
    return pass()
  }
  // Callers look at it for errors and for names.
  Object.defineProperty(response, 'url', { value: url })
  return response
}

/** What the middleware may have an answer to; with a token of the caller's own, the Hub's API may say more. */
function isRead(url: string, { method, headers }: Request): boolean {
  const { intercept, runtimes } = serving()
  const isGet = method === 'GET' || method === 'HEAD'
  if (runtimes.some((base) => url.startsWith(base))) return isGet
  const read = parseHubUrl(url, intercept)
  if (read?.kind === 'file') return isGet
  return read?.kind === 'api' && !headers.has('Authorization') && (isGet || method === 'POST')
}

/** transformers.js would keep what it got in the browser's storage too, and ask for it there the next time, uncounted. */
function keepNoSecondCopy(): void {
  // Undefined where the page is no secure context.
  if (typeof Cache === 'undefined') return
  const { put } = Cache.prototype
  Cache.prototype.put = async function (request, response) {
    if (response.headers.get(OUTCOME) !== 'served') return Reflect.apply(put, this, [request, response])
    // What nobody reads of a response that was cloned would stay in memory.
    await response.body?.cancel()
  }
}

/** ONNX Runtime may import its code from the CDN in place of fetching it. */
function mapImports({ address, runtimes }: BrowserProvided): void {
  const script = document.createElement('script')
  script.type = 'importmap'
  script.textContent = JSON.stringify({
    imports: Object.fromEntries(runtimes.map((base) => [base, toAddress(address, base)])),
  })
  document.head.append(script)
}
