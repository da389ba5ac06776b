import { createHash } from '../platform/late-crypto.ts'

/** `<host>-<hash of the endpoint>`: the host is for people, the hash distinguishes endpoints. It is a safe name of one folder. */
export function originKey(endpoint: string): string {
  const host = URL.canParse(endpoint) ? new URL(endpoint).host : ''
  const readable = host
    .replace(/[^a-z0-9.-]/g, '_')
    .replace(/^\.+/, '')
    .slice(0, 60)
  return `${readable}-${createHash('sha256').update(endpoint).digest('hex').slice(0, 16)}`
}
