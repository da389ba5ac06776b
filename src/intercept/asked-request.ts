import { letManyListen, linkedController } from '../platform/originals.ts'

/** The parts of a request that its answer depends on. They may come from another realm, or from the window of an environment. */
export interface AskedRequest {
  /** Absolute. */
  url: string
  /** In upper case. */
  method: string
  headers: AskedHeaders
  /** Undefined for no body. Empty for a body that is no text. */
  body: string | undefined
  signal: AbortSignal | undefined
}

export interface AskedHeaders {
  get(name: string): string | undefined
}

/** Reads the arguments of `fetch`. Undefined for arguments that `fetch` itself refuses: its own error is the better one. */
export function askedRequest(input: RequestInfo | URL, given?: RequestInit | null): AskedRequest | undefined {
  // `fetch` takes null as no options.
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

/** The URL in its normal form. Undefined for no URL. A window's URL class may have no `canParse`. */
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

/** The headers as `fetch` sends them, with names in lower case. */
export function headersOf(headers: HeadersInit | null | undefined): [string, string][] {
  if (headers === undefined || headers === null) return []
  const pairs = Symbol.iterator in headers ? [...(headers as Iterable<string[]>)] : Object.entries(headers)
  return pairs.map(([name = '', value = '']) => [name.toLowerCase(), String(value).trim()])
}

/** A signal that the engine can listen to many times. Packages older than Node.js's own AbortSignal make signals with fewer methods. */
function listenedTo(signal: AbortSignal): AbortSignal {
  letManyListen(signal)
  return typeof signal.throwIfAborted === 'function' ? signal : linkedController(signal).controller.signal
}
