import { letManyListen, linkedController } from '../platform/originals.ts'

/** What an answer hangs on of a request, in whatever realm or window its parts were made. */
export interface AskedRequest {
  /** Absolute. */
  url: string
  /** In capitals. */
  method: string
  headers: AskedHeaders
  /** Undefined for none; empty for one that is no text. */
  body: string | undefined
  signal: AbortSignal | undefined
}

export interface AskedHeaders {
  get(name: string): string | undefined
}

/** Undefined for what is no request to `fetch` either: it says what is wrong. */
export function askedRequest(input: RequestInfo | URL, given?: RequestInit | null): AskedRequest | undefined {
  // `fetch` takes null for no options at all.
  const init = given ?? {}
  const request = typeof input === 'object' && 'url' in input ? input : undefined
  const url = hrefOf(request?.url ?? String(input))
  const method = (init.method ?? request?.method ?? 'GET').toUpperCase()
  const body = typeof init.body === 'string' ? init.body : init.body ? '' : undefined
  if (url === undefined || (body !== undefined && /^(GET|HEAD)$/.test(method))) return undefined
  const headers = new Map(headersOf(init.headers ?? request?.headers))
  const callers = init.signal ?? request?.signal ?? undefined
  if (callers && (typeof callers.aborted !== 'boolean' || typeof callers.addEventListener !== 'function'))
    return undefined
  const signal = callers && listenedTo(callers)
  return { url, method, body, headers: { get: (name) => headers.get(name.toLowerCase()) }, signal }
}

/** The window's URL may be one that knows no `canParse`. */
function hrefOf(url: string): string | undefined {
  try {
    return new URL(url).href
  } catch {
    return undefined
  }
}

export function bearerOf(headers: AskedHeaders): string | undefined {
  return /^Bearer +(.+)$/i.exec(headers.get('Authorization') ?? '')?.[1]
}

/** By their names in small letters, as `fetch` would send them. */
export function headersOf(headers: HeadersInit | null | undefined): [string, string][] {
  if (headers === undefined || headers === null) return []
  const pairs = Symbol.iterator in headers ? [...(headers as Iterable<string[]>)] : Object.entries(headers)
  return pairs.map(([name = '', value = '']) => [name.toLowerCase(), String(value).trim()])
}

/** The signal as the engine listens to it, as often as it likes. Packages that came before Node.js had any make some that know less. */
function listenedTo(signal: AbortSignal): AbortSignal {
  letManyListen(signal)
  return typeof signal.throwIfAborted === 'function' ? signal : linkedController(signal).controller.signal
}
