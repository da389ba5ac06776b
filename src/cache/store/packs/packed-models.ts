import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Digest, isDigest } from '../../../model/digest.ts'
import type { EntryId } from '../../../model/entry.ts'
import { isObject } from '../../../model/json.ts'
import { isAbsent } from '../atomic-write.ts'
import { replaceDurably } from '../durable.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../list-folder.ts'
import { makeFolder } from '../make-folder.ts'
import { isPackedModelName } from '../own-names.ts'
import { removeFile } from '../remove-own.ts'

// `cold/models` has one file for each model of which something is packed. What such a file names is not removed from the pack files. Its
// record is used when the metadata was lost, or was rebuilt by an earlier version.

const VERSION = 1

export interface PackedModel {
  /** The packed blobs. */
  blobs: Digest[]
  /** False until all files of the model were removed from `hub/`. */
  isSettled: boolean
  /** True while it is being removed: then it is not put back into the metadata. */
  isRemoved?: boolean
  /** The record in the metadata. */
  record: unknown
}

/** What a file in `cold/models` says. Undefined for a file that is damaged or of a newer version. */
export interface NamedModel {
  name: string
  model: PackedModel | undefined
}

export function packedModelName(layout: Layout, { repo, snapshot }: EntryId): string {
  return `${basename(layout.repo(repo))}@${snapshot}.json`
}

export function isListedAsPacked(layout: Layout, id: EntryId): boolean {
  return existsSync(join(layout.packedModels, packedModelName(layout, id)))
}

/** Returns false when `isAllowed` says no, right before the file gets its name. */
export async function writePackedModel(
  layout: Layout,
  id: EntryId,
  model: PackedModel,
  isAllowed: () => boolean,
): Promise<boolean> {
  makeFolder(layout, layout.packedModels)
  const path = join(layout.packedModels, packedModelName(layout, id))
  return replaceDurably(path, JSON.stringify({ version: VERSION, ...model }), isAllowed, layout.incoming)
}

/** Marks a packed model before its record is removed, or takes the mark back. */
export async function markRemoved(
  layout: Layout,
  id: EntryId,
  isRemoved: boolean,
  isAllowed: () => boolean,
): Promise<void> {
  const model = readPackedModel(layout, id)
  if (model) await writePackedModel(layout, id, { ...model, isRemoved }, isAllowed)
}

/** The caller holds the lock of the repo. */
export function removePackedModel(layout: Layout, id: EntryId): void {
  removeFile(layout, join(layout.packedModels, packedModelName(layout, id)))
}

export function readPackedModels(layout: Layout): NamedModel[] {
  const names = entriesIn(layout.packedModels).flatMap(({ name }) => (isPackedModelName(name) ? [name] : []))
  return names.sort().flatMap((name) => {
    const text = textOf(join(layout.packedModels, name))
    return text === undefined ? [] : [{ name, model: parse(text) }]
  })
}

export function readPackedModel(layout: Layout, id: EntryId): PackedModel | undefined {
  const text = textOf(join(layout.packedModels, packedModelName(layout, id)))
  return text === undefined ? undefined : parse(text)
}

/** Undefined when another process removed the file. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function parse(text: string): PackedModel | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value) || value.version !== VERSION || !Array.isArray(value.blobs)) return undefined
    const blobs = value.blobs.filter((blob): blob is Digest => typeof blob === 'string' && isDigest(blob))
    if (blobs.length < value.blobs.length) return undefined
    return { blobs, isSettled: value.isSettled === true, isRemoved: value.isRemoved === true, record: value.record }
  } catch {
    return undefined
  }
}
