import { ModelCacheError } from '../model/errors.ts'

/**
 * A fetch through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. Undefined if no proxy is set, or if Node.js's own
 * fetch uses these variables already.
 */
export async function proxyFetch(env: Readonly<Record<string, string | undefined>>): Promise<typeof fetch | undefined> {
  const variable = (name: string) => env[name.toLowerCase()]?.trim() || env[name.toUpperCase()]?.trim() || undefined
  const [httpProxy, httpsProxy] = ['http_proxy', 'https_proxy'].map((name) => proxyUrl(name, variable(name)))
  const noProxy = variable('no_proxy')
  // Node.js 24 has its own proxy support, which is off by default.
  const isBuiltIn = env.NODE_USE_ENV_PROXY === '1' && Number(process.versions.node.split('.', 1)) >= 24
  if ((!httpProxy && !httpsProxy) || isBuiltIn) return undefined
  const undici = await import('undici')
  const dispatcher = new undici.EnvHttpProxyAgent({ httpProxy, httpsProxy, noProxy })
  // The package undici has the same interfaces as Node.js's copy; the type declarations differ in parts that are not used here.
  const fetchVia: unknown = (input: never, init?: object) => undici.fetch(input, { ...init, dispatcher })
  return fetchVia as typeof fetch
}

/** Without a scheme, http is used, as by curl and Python's requests. Throws `INVALID_OPTION`. */
function proxyUrl(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const url = value.includes('://') ? value : `http://${value}`
  if (URL.canParse(url) && /^(https?|socks5?):$/.test(new URL(url).protocol)) return url
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Environment variable ${name.toUpperCase()}`,
    // The value is not shown: it may hold a password.
    reason: 'Its value is not the address of a proxy.',
    nextStep: 'Write it as http://host:port, or unset it.',
  })
}
