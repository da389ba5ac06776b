import { readFileSync } from 'node:fs'
import process from 'node:process'
import { RUN_VARIABLE, settingsFile } from '../settings-file.ts'
import type { WorkerSettings } from '../worker-settings.ts'

const known = new Map<string, WorkerSettings>()

/**
 * The settings that the main process left for the workers of a project. Undefined if it left none, and after the run. A process reads
 * them once for each project.
 */
export function readSettings(id: string): WorkerSettings | undefined {
  const folder = process.env[RUN_VARIABLE]
  if (!folder) return undefined
  const path = settingsFile(folder, id)
  const settings = known.get(path) ?? parse(path)
  if (settings) known.set(path, settings)
  return settings
}

function parse(path: string): WorkerSettings | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
