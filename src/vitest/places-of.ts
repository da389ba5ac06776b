import type { TestProject } from 'vitest/node'
import type { ProjectPlaces } from '../run/queue.ts'
import { SETUP_FILE } from './wire-project.ts'

/** Where Vite finds the modules of a project. Nothing is transformed. */
export function placesOf({ config, vite }: TestProject): ProjectPlaces {
  const { resolve, server } = vite.config
  return {
    folders: [config.root, ...server.fs.allow],
    setupFiles: config.setupFiles.filter((file) => file !== SETUP_FILE),
    resolve: async (specifier, importer) =>
      (await vite.pluginContainer.resolveId(specifier, importer, { ssr: true }))?.id,
    resolvedBy: JSON.stringify(resolve.alias.map(({ find, replacement }) => [String(find), replacement])),
  }
}
