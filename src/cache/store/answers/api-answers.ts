import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { nameOf } from '../../../model/errors.ts'
import type { RepoId } from '../../../model/repo-id.ts'
import { originals } from '../../../platform/originals.ts'
import { isAbsent, writeAtomically } from '../atomic-write.ts'
import { apiFolderOf, type Origin } from '../origin.ts'

/** The headers and the body of an answer of the Hub's API. */
const Schema = v.object({ headers: v.record(v.string(), v.string()), body: v.string() })

export type StoredAnswer = v.InferOutput<typeof Schema>

/** The stored answer of the Hub's API to a request, and its age in milliseconds. Undefined when none is stored. */
export async function readApiAnswer(
  /** `origin.api`, or the folder in which an earlier version kept the answers of all endpoints: there the key names the endpoint. */
  folder: string,
  repo: RepoId,
  key: string,
): Promise<{ answer: StoredAnswer; ageMs: number } | undefined> {
  const path = pathOf(folder, repo, key)
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    const result = v.safeParse(Schema, JSON.parse(text))
    // A damaged file counts as absent.
    return result.success ? { answer: result.output, ageMs: Math.max(0, originals.now() - mtimeMs) } : undefined
  } catch (error) {
    if (isAbsent(error) || nameOf(error) === 'SyntaxError') return undefined
    throw error
  }
}

/** Stores an answer of the Hub's API. `key` identifies the request; its age is counted from now on. */
export function writeApiAnswer({ api, cache }: Origin, repo: RepoId, key: string, answer: StoredAnswer): void {
  writeAtomically(pathOf(api, repo, key), JSON.stringify(answer), cache.incoming)
}

function pathOf(folder: string, repo: RepoId, key: string): string {
  return join(folder, apiFolderOf(repo), `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`)
}
