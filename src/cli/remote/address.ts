import type { ModelCache } from '../../cache/model-cache.ts'

/** The address of the remote for messages. Addresses with credentials are refused as options. */
export function addressOf({ context }: ModelCache): string {
  const { url, store } = context.options.remote ?? {}
  return url ?? store?.name ?? 'your own remote'
}
