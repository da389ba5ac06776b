import { ModelCacheError } from '../model/errors.ts'

/** A fetch that goes through the proxy of the usual variables; undefined where none is set, or Node.js does so itself. */
export async function proxyFetch(env: Readonly<Record<string, string | undefined>>): Promise<typeof fetch | undefined> {
  const variable = (name: string) => env[name.toLowerCase()]?.trim() || env[name.toUpperCase()]?.trim() || undefined
  const [httpProxy, httpsProxy] = ['http_proxy', 'https_proxy'].map((name) => proxyUrl(name, variable(name)))
  const noProxy = variable('no_proxy')
  // Node.js 24 has its own support, which is off unless it is asked for.
  const isBuiltIn = env.NODE_USE_ENV_PROXY === '1' && Number(process.versions.node.split('.', 1)) >= 24
  if ((!httpProxy && !httpsProxy) || isBuiltIn) return undefined
  const undici = await import('undici')
  const dispatcher = new undici.EnvHttpProxyAgent({ httpProxy, httpsProxy, noProxy })
  // The same interfaces by another copy of undici: their type declarations differ in what nobody here uses.
  const fetchVia: unknown = (input: never, init?: object) => undici.fetch(input, { ...init, dispatcher })
  return fetchVia as typeof fetch
}

/** A host alone is reached by http, as curl and Python's requests take it. Throws `INVALID_OPTION`. */
function proxyUrl(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const url = value.includes('://') ? value : `http://${value}`
  if (URL.canParse(url) && /^(https?|socks5?):$/.test(new URL(url).protocol)) return url
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Environment variable ${name.toUpperCase()}`,
    // Never its value: there may be a password in it.
    reason: 'It is no address of a proxy.',
    nextStep: 'Write it as http://host:port, or unset it.',
  })
}
