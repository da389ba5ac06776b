import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from '../cache/manifest.ts'
import type { ChildEvent } from '../intercept/child.ts'

/** Where the processes that tests start find the manifest, and leave what they asked for. */
export function eventsFolder(cacheDir: string, runId: string): string {
  return join(cacheDir, 'events', runId)
}

/** The file that they read. */
export function manifestFile(folder: string): string {
  return join(folder, 'manifest.json')
}

/** Hands the manifest to them. Where it can't be written they look into the metadata. */
export function shareManifest(folder: string, manifest: Manifest): void {
  if (manifest.models.length === 0) return
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(manifestFile(folder), JSON.stringify(manifest), { mode: 0o600 })
  } catch {
    // A cache that only serves what it has.
  }
}

/** Takes out what they left since the last call. */
export function takeChildEvents(folder: string): ChildEvent[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
  return files.flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    rmSync(join(folder, name), { force: true })
    return text.split('\n').flatMap(parseEvent)
  })
}

/** Removes what is there for the children of a run that is over. */
export function removeEvents(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // A cache folder that is a file, or that only serves what it has.
  }
}

/** A process that was killed while it wrote leaves half a line. */
function parseEvent(line: string): ChildEvent[] {
  try {
    return line === '' ? [] : [JSON.parse(line)]
  } catch {
    return []
  }
}
