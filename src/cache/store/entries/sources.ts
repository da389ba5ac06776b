import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError, nameOf } from '../../../model/errors.ts'
import { createHash } from '../../../platform/late-crypto.ts'
import { writeAtomically } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { isSourcesName } from '../own-names.ts'
import { removeFiles } from '../remove-own.ts'

const PROJECTS_KEPT = 100
/** Bytes. */
const LARGEST = 8 * 2 ** 20

/** What was read in the source files of a project. Undefined if nothing is kept, or if it can't be read. */
export function readSources(layout: Layout, project: string): unknown {
  try {
    const path = pathOf(layout, project)
    return statSync(path).size > LARGEST ? undefined : JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (isSystemError(error) || nameOf(error) === 'SyntaxError') return undefined
    throw error
  }
}

/** Keeps what was read in the source files of a project, for the next run. Keeps that of the last 100 projects. */
export async function writeSources(layout: Layout, project: string, sources: object): Promise<void> {
  const text = JSON.stringify(sources)
  if (text.length > LARGEST) return
  const path = pathOf(layout, project)
  writeAtomically(path, text)
  const names = readdirSync(layout.sources).filter(isSourcesName)
  if (names.length <= PROJECTS_KEPT) return
  const ages = names.map((name) => ({
    name,
    age: statSync(join(layout.sources, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }))
  const oldest = ages.sort((a, b) => a.age - b.age).slice(0, -PROJECTS_KEPT)
  await removeFiles(
    layout,
    layout.sources,
    oldest.map(({ name }) => name),
  )
}

function pathOf(layout: Layout, project: string): string {
  return join(layout.sources, `${createHash('sha256').update(project).digest('hex').slice(0, 12)}.json`)
}
