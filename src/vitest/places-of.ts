import type { TestProject } from 'vitest/node'
import type { ProjectPlaces } from '../run/queue.ts'
import { SETUP_FILE } from './wire-project.ts'

/** Where Vite finds the modules of a project, without Vite's own work on them. */
export function placesOf({ config, vite }: TestProject): ProjectPlaces {
  const { resolve, server } = vite.config
  return {
    folders: [config.root, ...server.fs.allow],
    aliases: resolve.alias.map(({ find, replacement }) => ({ find, replacement })),
    setupFiles: config.setupFiles.filter((file) => file !== SETUP_FILE),
  }
}
