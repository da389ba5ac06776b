import type { IncomingMessage } from 'node:http'
import type { Vite } from 'vitest/node'

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/**
 * True for a request of a page that this server itself served. Vite refuses hosts too, but lets pages of every port of
 * this machine read its answers, and a config may open it to all hosts.
 */
export function isOwnPage(server: Vite.ViteDevServer, { headers }: IncomingMessage): boolean {
  const { host, origin } = headers
  const hostname = host && hostnameOf(`http://${host}`)
  if (!hostname || !(LOOPBACK.test(hostname) || ownNames(server).includes(hostname))) return false
  // Only browsers send it, and only for a page that they trust to be what it says; a plain GET has no origin.
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin') return false
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)
}

/** What the server was told to listen to beside the loopback interface, and names that the config lists. */
function ownNames({ config, resolvedUrls }: Vite.ViteDevServer): string[] {
  const { allowedHosts } = config.server
  const listening = [...(resolvedUrls?.local ?? []), ...(resolvedUrls?.network ?? [])]
  return [...(Array.isArray(allowedHosts) ? allowedHosts : []), ...listening.flatMap((url) => hostnameOf(url) ?? [])]
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined
}
