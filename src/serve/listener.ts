import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { hostname as nameOfMachine, networkInterfaces } from 'node:os'
import { isLoopback } from '../model/endpoint.ts'
import { ModelCacheError, messageOf, systemCode } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'

const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  // For the whole request with its body. A response may take longer.
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 60_000,
}
export type Limits = typeof LIMITS

// Each can have an open file. Many systems allow a process a thousand.
const MOST_CONNECTIONS = 256
const GRACE_MS = 3_000
// With these, a server listens on all addresses of the machine.
const ANY_ADDRESS = ['0.0.0.0', '::']

export interface Bound {
  server: Server
  /** The address, as a URL writes it. */
  address: string
  port: number
  /** The URL for clients. */
  url: string
}

/** Starts a server without a listener of requests. Throws `INVALID_OPTION` if the address can't be used. */
export async function bind(asked: { host: string; port: number; limits?: Partial<Limits> }): Promise<Bound> {
  const { host, port, limits } = asked
  const server = createServer({ ...LIMITS, ...limits })
  server.maxConnections = MOST_CONNECTIONS
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (cause) {
    throw unusableAddress(host, port, cause)
  }
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) throw new Error('The server has no address')
  const name = ANY_ADDRESS.includes(bound.address) ? nameOfMachine() : inUrl(host)
  return { server, address: inUrl(bound.address), port: bound.port, url: `http://${name}:${bound.port}` }
}

/** Waits some seconds for the responses under way. Then their connections are closed. */
export async function unbind({ server }: Bound): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  const timer = originals.setTimeout(() => server.closeAllConnections(), GRACE_MS)
  await closed
  originals.clearTimeout(timer)
}

/** True if a URL leads to this server. */
export function leadsTo({ port, address }: Bound, url: string): boolean {
  const { hostname, port: asked, protocol } = new URL(url)
  if (protocol !== 'http:' || Number(asked || 80) !== port) return false
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? [])
  return isLoopback(hostname) || [address, nameOfMachine(), ...own.map(inUrl)].includes(hostname)
}

function inUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

function unusableAddress(host: string, port: number, cause: unknown): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Address ${host}, port ${port}`,
    reason: `The server can't listen there: ${messageOf(cause)}.`,
    nextStep:
      systemCode(cause) === 'EADDRINUSE'
        ? 'Choose another port with --port, or 0 for any free one.'
        : 'Name an address of this machine with --host, such as 127.0.0.1 or 0.0.0.0, and a port with --port.',
    cause,
  })
}
