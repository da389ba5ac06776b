// Pages and the main process import this file: it and its imports must not need Node.js.
// The next line loads the types that the augmentation below adds to.
export type {} from 'vitest'

/** The key of `provide`, by which the main process tells the setup file of a browser. */
export const BROWSER_CHANNEL = 'vitest-model-cache/browser'

/** What the main process tells a browser. It holds no token, and no path of the cache. */
export interface BrowserProvided {
  /** The path of the middleware: `/__vitest-model-cache__/<key>/`. Each project has a key of its own in each run. */
  address: string
  mode: 'integration' | 'unit'
  /** The URLs of the hubs whose reads are answered from the cache; empty where none is answered. */
  intercept: string[]
  /** The configured endpoint, which gets the requests for huggingface.co that the cache does not answer. */
  endpoint: string
  offline: boolean
  /** The folders of a CDN whose files are installed in the same version: URLs with a slash at the end. */
  runtimes: string[]
}

/** How the paths of the middleware begin. */
export const PREFIX = '/__vitest-model-cache__/'

/** A request header with the path of the test file that asks, percent-encoded. */
export const TEST_FILE = 'X-Model-Cache-Test-File'

/**
 * A response header. `served`: this is the answer of the Hub. `refused`: the page sends the request on, to where it was going.
 * `failed`: the body holds the parts of an error.
 */
export const OUTCOME = 'X-Model-Cache'
export type Outcome = 'served' | 'refused' | 'failed'

/** The address of a URL at the middleware: `<address>https/host/path` for `https://host/path`. */
export function toAddress(address: string, url: string): string {
  return address + url.replace('://', '/')
}

/** The URL that such a path means; undefined if it is no URL of http or https. */
export function fromAddress(path: string): string | undefined {
  const [, protocol, rest] = /^(https?)\/(.+)$/.exec(path) ?? []
  return protocol && rest && `${protocol}://${rest}`
}

declare module 'vitest' {
  interface ProvidedContext {
    [BROWSER_CHANNEL]: BrowserProvided
  }
}
