import { fileURLToPath } from 'node:url'

/** What `--require` loads in workers and in the processes that tests start. */
export const PRELOAD = fileURLToPath(new URL('../intercept/preload.cjs', import.meta.url))
