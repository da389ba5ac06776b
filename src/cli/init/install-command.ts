import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** How the package manager of a project installs packages for development, as its lock file says. */
export function installCommand(folder: string, packages: string[]): string {
  const has = (name: string) => existsSync(join(folder, name))
  const names = packages.join(' ')
  if (has('pnpm-lock.yaml')) return `pnpm add --save-dev ${names}`
  if (has('yarn.lock')) return `yarn add --dev ${names}`
  if (has('bun.lock') || has('bun.lockb')) return `bun add --dev ${names}`
  return `npm install --save-dev ${names}`
}
