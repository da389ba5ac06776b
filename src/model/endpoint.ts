/** The public Hub. Nothing here needs Node.js: pages load it too. */
export const DEFAULT_ENDPOINT = 'https://huggingface.co'
/** Another name of it. */
export const SHORT_ENDPOINT = 'https://hf.co'

const PUBLIC_HUB = [DEFAULT_ENDPOINT, SHORT_ENDPOINT]

/**
 * The address at the configured endpoint of what was addressed to huggingface.co or hf.co; undefined where the request stays as
 * it is. The names of private repos must not leave the configured endpoint.
 */
export function addressAtEndpoint(url: string, endpoint: string): string | undefined {
  const base = PUBLIC_HUB.find((base) => url.startsWith(`${base}/`))
  const isPublic = PUBLIC_HUB.includes(new URL(endpoint).origin)
  return base === undefined || isPublic ? undefined : endpoint + url.slice(base.length)
}
