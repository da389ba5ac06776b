import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChunkId } from '../../../model/chunk-id.ts'
import { blobNameOf, type Digest, digestOfBlobName } from '../../../model/digest.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../list-folder.ts'
import type { Hold } from '../locks/lock.ts'
import { Aside } from '../removal/aside.ts'
import { removeFiles } from '../remove-own.ts'
import { indexOf, packNames } from './chunk-index.ts'
import { INDEXED_BYTES, PackWriter, type StoredChunk } from './pack-file.ts'
import { readPackedModels } from './packed-models.ts'
import { isOfNewerVersion, type Recipe, readRecipe, recipeBytes } from './recipe.ts'
import { beginWriting } from './unfinished.ts'

// A pack file is written again without its unused chunks when these take more of it. Before that, the copying costs more than it frees.
const MOST_UNUSED = 0.25
// Each small pack file costs time when a chunk is looked for.
const SMALL_BYTES = 16 << 20
const MOST_SMALL = 8

interface Pack {
  name: string
  bytes: number
  chunks: StoredChunk[]
  used: StoredChunk[]
}

export interface Compacted {
  /** Pack files and recipes that were removed or rewritten. */
  files: number
  /** Bytes that became free. */
  bytes: number
  /** By the name of a packed model: the bytes that each packed blob takes. A chunk that several blobs have counts for the first. */
  shares: Map<string, Map<Digest, number>>
}

/** True when a recipe belongs to no packed model any more. */
export function hasUnusedRecipes(layout: Layout): boolean {
  const models = readPackedModels(layout)
  return models.every(({ model }) => model) && unusedRecipes(layout, models).length > 0 && !!recipesOf(layout, models)
}

/**
 * Removes recipes and chunks that no packed model has. Chunks that stay are first copied into new pack files. The caller holds the lock of
 * the pack files. Undefined, and nothing is removed, while a packed model can't be read or is of a newer version: its chunks are not
 * known.
 */
export async function compactPacks(
  layout: Layout,
  hold: Hold,
  { dryRun = false, signal }: { dryRun?: boolean; signal?: AbortSignal } = {},
): Promise<Compacted | undefined> {
  const models = readPackedModels(layout)
  const recipes = models.every(({ model }) => model) ? recipesOf(layout, models) : undefined
  if (!recipes) return undefined
  const { packs, places } = readPacks(layout, recipes)
  const old = chooseOld(packs)
  const unused = unusedRecipes(layout, models)
  const compacted: Compacted = {
    files: old.length + unused.length,
    bytes: 0,
    shares: sharesOf(models, recipes, places),
  }
  const sizes = unused.map((digest) => sizeOf(layout.packedBlob(digest)))
  const kept = old.flatMap(({ used }) => used).reduce((sum, { stored }) => sum + stored + INDEXED_BYTES, 0)
  const taken = [...sizes, ...old.map(({ bytes }) => bytes)].reduce((sum, bytes) => sum + bytes, 0)
  compacted.bytes = Math.max(0, taken - kept)
  if (dryRun || compacted.files === 0) return compacted
  beginWriting(layout)
  await copyChunks(layout, old, signal)
  const aside = Aside.begin(layout, hold)
  const remove = (path: string) => aside.take(path)
  const oldNames = old.map(({ name }) => name)
  try {
    await removeFiles(layout, layout.packs, oldNames, remove)
    // The recipes are removed last: while an unused one is there, the next maintenance knows that this work is not finished.
    await removeFiles(layout, layout.packedBlobs, unused.map(blobNameOf), remove)
  } finally {
    await aside.end()
  }
  return compacted
}

/** The recipes of packed models, without damaged ones. Undefined if one is of a newer version. */
function recipesOf(layout: Layout, models: ReturnType<typeof readPackedModels>): Map<Digest, Recipe> | undefined {
  const recipes = new Map<Digest, Recipe>()
  for (const digest of models.flatMap(({ model }) => model?.blobs ?? [])) {
    const recipe = recipes.get(digest) ?? readRecipe(layout, digest)
    if (recipe) recipes.set(digest, recipe)
    else if (isOfNewerVersion(layout, digest)) return undefined
  }
  return recipes
}

function unusedRecipes(layout: Layout, models: ReturnType<typeof readPackedModels>): Digest[] {
  const used = new Set(models.flatMap(({ model }) => model?.blobs ?? []))
  const stored = entriesIn(layout.packedBlobs).flatMap(({ name }) => digestOfBlobName(name) ?? [])
  return stored.filter((digest) => !used.has(digest))
}

/** A chunk that several pack files have is used in one of them. */
function readPacks(layout: Layout, recipes: ReadonlyMap<Digest, Recipe>) {
  const used = new Set([...recipes.values()].flatMap(({ chunks }) => chunks))
  const places = new Map<ChunkId, StoredChunk>()
  const packs = packNames(layout).flatMap((name): Pack[] => {
    const chunks = indexOf(layout, name)
    if (!chunks) return []
    const own = chunks.filter(({ id }) => used.has(id) && !places.has(id))
    for (const chunk of own) places.set(chunk.id, chunk)
    return [{ name, bytes: sizeOf(join(layout.packs, name)), chunks, used: own }]
  })
  return { packs, places }
}

function chooseOld(packs: Pack[]): Pack[] {
  const isWasteful = ({ used, bytes }: Pack) =>
    bytes - used.reduce((sum, { stored }) => sum + stored + INDEXED_BYTES, 0) > bytes * MOST_UNUSED
  const small = packs.filter(({ bytes }) => bytes < SMALL_BYTES)
  return packs.filter(
    (pack) => pack.used.length === 0 || isWasteful(pack) || (small.length > MOST_SMALL && small.includes(pack)),
  )
}

/** Copies the used chunks of pack files into new ones. */
export async function copyChunks(
  layout: Layout,
  packs: Pick<Pack, 'name' | 'used'>[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const writer = new PackWriter(layout)
  try {
    for (const { name, used } of packs) {
      if (used.length === 0) continue
      signal?.throwIfAborted()
      const bytes = await readFile(join(layout.packs, name))
      for (const { id, offset, stored, size, coding } of used)
        await writer.add(id, { coding, bytes: bytes.subarray(offset, offset + stored) }, size)
    }
    await writer.finish()
  } finally {
    await writer.abandon()
  }
}

function sharesOf(
  models: ReturnType<typeof readPackedModels>,
  recipes: ReadonlyMap<Digest, Recipe>,
  places: ReadonlyMap<ChunkId, StoredChunk>,
): Compacted['shares'] {
  const listed = new Set<Digest>()
  const counted = new Set<ChunkId>()
  const shares: Compacted['shares'] = new Map()
  for (const { name, model } of models) {
    const own = new Map<Digest, number>()
    for (const digest of model?.blobs ?? []) {
      const recipe = recipes.get(digest)
      let bytes = recipe && !listed.has(digest) ? recipeBytes(recipe) : 0
      listed.add(digest)
      for (const id of recipe?.chunks ?? []) {
        if (!counted.has(id)) bytes += (places.get(id)?.stored ?? 0) + INDEXED_BYTES
        counted.add(id)
      }
      own.set(digest, bytes)
    }
    shares.set(name, own)
  }
  return shares
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
