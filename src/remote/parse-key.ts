/** What an object of a store is. `model`: the part of its key that all objects of one repo at one commit share. */
export type OwnKey =
  | { kind: 'blob' | 'map' }
  | { kind: 'listing' | 'signature' | 'bundle'; model: string }
  | { kind: 'ref'; repo: string }

export type ObjectKind = OwnKey['kind']

const FOLDER = '[a-z0-9._-]*-[0-9a-f]{16}/[A-Za-z0-9._-]+'
const BLOB = /^blobs\/(?:sha256\/([0-9a-f]{2})\/\1[0-9a-f]{62}|sha1\/([0-9a-f]{2})\/\2[0-9a-f]{38})(\.map)?$/
const OF_MODEL = new RegExp(`^models/(${FOLDER}/[0-9a-f]{40})/(listing\\.json|listing\\.[0-9a-f]{16}\\.sig|small)$`)
const REF = new RegExp(`^refs/(${FOLDER})/[a-z0-9._-]+\\.[0-9a-f]{16}\\.json$`)

/** Parses a key that `keys.ts` makes. Undefined for any other: the object is not ours. */
export function parseKey(key: string): OwnKey | undefined {
  const blob = BLOB.exec(key)
  if (blob) return { kind: blob[3] === undefined ? 'blob' : 'map' }
  const [, model, name] = OF_MODEL.exec(key) ?? []
  if (model !== undefined)
    return { kind: name === 'small' ? 'bundle' : name === 'listing.json' ? 'listing' : 'signature', model }
  const [, repo] = REF.exec(key) ?? []
  return repo === undefined ? undefined : { kind: 'ref', repo }
}
