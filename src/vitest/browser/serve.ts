import { isBelow, isReadBy, parseHubUrl } from '../../intercept/hub-url.ts'
import { noHub } from '../../mocks/unit-mode-error.ts'
import { addressAtEndpoint } from '../../model/endpoint.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { type BrowserProvided, OUTCOME, TEST_FILE, toAddress } from './channel.ts'

type Arguments = Parameters<typeof fetch>

interface Serving extends BrowserProvided {
  /** The test file that runs now. */
  testFile: string
}

// On the global object: without isolation the page evaluates this module again for the next test file.
const SERVING = Symbol.for('vitest-model-cache.browser')

/** Wraps `fetch`, so that it asks the middleware for files of the Hub and of runtimes. What the middleware refuses goes to the network. */
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
      const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url
      const isOurs = [...serving().intercept, ...serving().runtimes].some(
        // Host names are case-insensitive.
        (base) => url.slice(0, base.length).toLowerCase() === base.toLowerCase(),
      )
      return isOurs ? ask(original, [input, init]) : Reflect.apply(original, this ?? globalThis, [input, init])
    },
  }.fetch
  globalThis.fetch = wrapped
}

async function ask(original: typeof fetch, [input, init]: Arguments): Promise<Response> {
  const { address, testFile, mode, intercept, runtimes, offline } = serving()
  const request = new Request(input instanceof Request ? input.clone() : input, init)
  const { method, signal, url } = request
  const read = parseHubUrl(url, intercept)
  const isRuntime = runtimes.some((base) => url.startsWith(base)) && (method === 'GET' || method === 'HEAD')
  // Pages have no mocks.
  if (mode === 'unit' && isBelow(url, intercept)) throw noHub(`Request to ${url.split('?', 1)[0]}`)
  if (!isRuntime && !(read && isReadBy(method, read))) return original(input, init)
  const pass = () => passOn(original, request, [input, init])
  // The Hub's API may give a caller with a token more than the cache knows.
  if (read?.kind === 'api' && request.headers.has('Authorization') && !offline) return pass()
  const headers = new Headers({ [TEST_FILE]: encodeURIComponent(testFile) })
  // Other headers stay here. Above all the token of a caller must not go to the middleware.
  for (const name of ['Range', 'If-Range', 'Content-Type']) {
    const value = request.headers.get(name)
    if (value !== null) headers.set(name, value)
  }
  const body = method === 'POST' ? await request.clone().text() : undefined
  const response = await original(toAddress(address, url), { method, headers, body, signal, cache: 'no-store' })
  const outcome = response.headers.get(OUTCOME)
  if (outcome === 'failed') throw new ModelCacheError(await response.json())
  if (outcome !== 'served') {
    await response.body?.cancel()
    return pass()
  }
  // Callers use the URL in error messages, and to derive file names.
  Object.defineProperty(response, 'url', { value: url })
  return response
}

/** Sends a refused request to where it was going. A request for huggingface.co goes to the configured endpoint. */
async function passOn(original: typeof fetch, request: Request, [input, init]: Arguments): Promise<Response> {
  const elsewhere = addressAtEndpoint(request.url, serving().endpoint)
  if (elsewhere === undefined) return original(input, init)
  const headers = new Headers(request.headers)
  // The token is for huggingface.co.
  headers.delete('Authorization')
  const { method, signal } = request
  const body = method === 'POST' ? await request.clone().text() : undefined
  return original(elsewhere, { method, headers, body, signal })
}

/**
 * Keeps files of the middleware out of the browser's storage. transformers.js would store a second copy there, and would use that
 * copy the next time, so that no request is counted.
 */
function keepNoSecondCopy(): void {
  // `Cache` is undefined where the page is no secure context.
  if (typeof Cache === 'undefined') return
  const { put } = Cache.prototype
  Cache.prototype.put = async function (request, response) {
    if (response.headers.get(OUTCOME) !== 'served') return Reflect.apply(put, this, [request, response])
    // The response is a clone: a body that nobody reads would stay in memory.
    await response.body?.cancel()
  }
}

/** Adds an import map: ONNX Runtime may import its code from the CDN instead of fetching it. */
function mapImports({ address, runtimes }: BrowserProvided): void {
  const script = document.createElement('script')
  script.type = 'importmap'
  script.textContent = JSON.stringify({
    imports: Object.fromEntries(runtimes.map((base) => [base, toAddress(address, base)])),
  })
  document.head.append(script)
}
