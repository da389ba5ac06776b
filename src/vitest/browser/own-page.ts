import type { IncomingMessage } from 'node:http'
import type { Vite } from 'vitest/node'

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/**
 * True for a request of a page that this server itself served. Vite's own check of hosts is not enough: pages of every port of this
 * machine may read its answers, and a config may allow all hosts.
 */
export function isOwnPage(server: Vite.ViteDevServer, { headers }: IncomingMessage): boolean {
  const { host, origin } = headers
  const hostname = host && hostnameOf(`http://${host}`)
  if (!hostname || !(LOOPBACK.test(hostname) || ownNames(server).includes(hostname))) return false
  // Browsers send this header to trustworthy origins. A plain GET has no `Origin` header.
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin') return false
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)
}

/** The host names that the server listens on, and those that the config allows. */
function ownNames({ config, resolvedUrls }: Vite.ViteDevServer): string[] {
  const { allowedHosts } = config.server
  const listening = [...(resolvedUrls?.local ?? []), ...(resolvedUrls?.network ?? [])]
  return [...(Array.isArray(allowedHosts) ? allowedHosts : []), ...listening.flatMap((url) => hostnameOf(url) ?? [])]
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined
}
