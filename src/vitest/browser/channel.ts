// Read by both sides: nothing here, or below it, may need Node.js.
// Before the augmentation below, which merges into what is loaded already.
export type {} from 'vitest'

/** The key under which the main process provides what the setup file of a browser needs. */
export const BROWSER_CHANNEL = 'vitest-model-cache/browser'

/** What the main process provides to a browser: neither a token nor a path of the cache. */
export interface BrowserProvided {
  /** Where the middleware is asked: `/__vitest-model-cache__/<key>/`, a key for each project and run. */
  address: string
  /** Whose reads are answered from the cache; empty where none is. */
  intercept: string[]
  /** The Hub that is asked in place of huggingface.co. */
  endpoint: string
  offline: boolean
  /** Folders at a CDN of which the same files are installed: URLs with a slash at the end. */
  runtimes: string[]
}

/** Where the middleware answers. */
export const PREFIX = '/__vitest-model-cache__/'

/** A header of a request: the test file that asks, percent-encoded. */
export const TEST_FILE = 'X-Model-Cache-Test-File'

/**
 * Of an answer: `served` as the Hub would; `refused`, so that the request goes where it was going; `failed`, with the
 * parts of the error as its body.
 */
export const OUTCOME = 'X-Model-Cache'
export type Outcome = 'served' | 'refused' | 'failed'

/** `https://host/path` as the middleware is asked for it: `<address>https/host/path`. */
export function toAddress(address: string, url: string): string {
  return address + url.replace('://', '/')
}

/** The way back; undefined for what is no URL of http or https. */
export function fromAddress(path: string): string | undefined {
  const [, protocol, rest] = /^(https?)\/(.+)$/.exec(path) ?? []
  return protocol && rest && `${protocol}://${rest}`
}

declare module 'vitest' {
  interface ProvidedContext {
    [BROWSER_CHANNEL]: BrowserProvided
  }
}
