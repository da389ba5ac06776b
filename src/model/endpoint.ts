/** The public Hub. This file must not import Node.js modules: browser pages load it too. */
export const DEFAULT_ENDPOINT = 'https://huggingface.co'
/** A second host name of the public Hub. */
export const SHORT_ENDPOINT = 'https://hf.co'

const PUBLIC_HUB = [DEFAULT_ENDPOINT, SHORT_ENDPOINT]

/**
 * Rewrites an address of huggingface.co or hf.co to the configured endpoint. Undefined where the address needs no change.
 * Without the rewrite, the names of private repos would be sent to the public Hub.
 */
export function addressAtEndpoint(url: string, endpoint: string): string | undefined {
  const base = PUBLIC_HUB.find((base) => url.startsWith(`${base}/`))
  const isPublic = PUBLIC_HUB.includes(new URL(endpoint).origin)
  return base === undefined || isPublic ? undefined : endpoint + url.slice(base.length)
}

const LONGEST_ENDPOINT = 2000

/** True for the form in which the options keep an endpoint. */
export function isEndpoint(text: string): boolean {
  if (text.length > LONGEST_ENDPOINT || text.endsWith('/') || !URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '')
}

/** True for the names of this machine, to which a token may be sent over plain http. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
