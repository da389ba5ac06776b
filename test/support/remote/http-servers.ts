import type { Backend } from './backend.ts'
import { FaultyProxy } from './faulty-proxy.ts'
import { NGINX, NGINX_PASSWORD, NGINX_TOKEN, NGINX_USER, type NginxOptions, startNginx } from './nginx.ts'
import { openAt } from './open-at.ts'

function nginxBackend(name: string, options: NginxOptions, env: Record<string, string>): Backend {
  return {
    name,
    ...(NGINX === undefined && { missing: 'there is no nginx' }),
    async start() {
      const nginx = await startNginx(options)
      const proxy = await FaultyProxy.start(nginx.url)
      const addressOf = (store: string) => new URL(`${proxy.url}/models/${store}`)
      return {
        addressOf,
        open: (store) => openAt(addressOf(store), env),
        env,
        proxy,
        async close() {
          await proxy.close()
          await nginx.close()
        },
      }
    },
  }
}

export const httpBackends = [
  nginxBackend('nginx that demands a token', { demands: 'token' }, { MODEL_CACHE_REMOTE_TOKEN: NGINX_TOKEN }),
  nginxBackend(
    'nginx that demands a password to write, and whose PUT makes no folders',
    { demands: 'password', lacksFolders: true },
    { MODEL_CACHE_REMOTE_USER: NGINX_USER, MODEL_CACHE_REMOTE_PASSWORD: NGINX_PASSWORD },
  ),
]
