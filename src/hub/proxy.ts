/** A fetch that goes through the proxy of the usual variables; undefined where none is set, or Node.js does so itself. */
export async function proxyFetch(env: Readonly<Record<string, string | undefined>>): Promise<typeof fetch | undefined> {
  const variable = (name: string) => env[name.toLowerCase()] || env[name.toUpperCase()] || undefined
  const [httpProxy, httpsProxy, noProxy] = ['http_proxy', 'https_proxy', 'no_proxy'].map(variable)
  // Node.js 24 has its own support, which is off unless it is asked for.
  const isBuiltIn = env.NODE_USE_ENV_PROXY === '1' && Number(process.versions.node.split('.', 1)) >= 24
  if ((!httpProxy && !httpsProxy) || isBuiltIn) return undefined
  const undici = await import('undici')
  const dispatcher = new undici.EnvHttpProxyAgent({ httpProxy, httpsProxy, noProxy })
  // The same interfaces by another copy of undici: their type declarations differ in what nobody here uses.
  const fetchVia: unknown = (input: never, init?: object) => undici.fetch(input, { ...init, dispatcher })
  return fetchVia as typeof fetch
}
