import { formatSize } from '../../config/units.ts'
import { GrowingBytes } from '../../platform/growing-bytes.ts'
import { originals } from '../../platform/originals.ts'
import { RemoteError, type StoredObject } from '../store.ts'
import { discard, type Requests } from './requests.ts'
import { failureOf, isAbsent } from './statuses.ts'

// A folder of 50,000 objects.
const LARGEST_LISTING_BYTES = 32 << 20
// Keys have fewer. A server could otherwise show folders in folders without an end.
const MOST_FOLDERS = 8
const ASKED = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>`

/** What a folder has. */
interface Item {
  key: string
  isFolder: boolean
  size: number
  modifiedMs: number
}

/**
 * The objects whose keys begin with `prefix`, of a server that speaks WebDAV. Asks for one folder after the other: many servers refuse to
 * list whole trees.
 */
export async function* listObjects(
  requests: Requests,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<StoredObject> {
  const folders = [prefix.slice(0, prefix.lastIndexOf('/') + 1)]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const { isFolder, ...object } of await readFolder(requests, folder, signal)) {
      const { key } = object
      const isDeep = key.split('/').length > MOST_FOLDERS
      if (isFolder && !isDeep && (key.startsWith(prefix) || prefix.startsWith(key))) folders.push(key)
      if (!isFolder && key.startsWith(prefix)) yield object
    }
  }
}

/** `folder`: empty, or it ends with a slash. */
async function readFolder(requests: Requests, folder: string, signal: AbortSignal): Promise<Item[]> {
  const { name } = requests
  const headers = { Depth: '1', 'Content-Type': 'application/xml' }
  const { answer } = await requests.send({ method: 'PROPFIND', path: folder, headers, body: ASKED, signal })
  if (isAbsent(answer)) return []
  if (answer.status !== 207) {
    await discard(answer)
    if (answer.ok || [400, 405, 501].includes(answer.status))
      throw new RemoteError('misused', `${name} can't list its objects: it does not speak WebDAV`)
    throw failureOf(name, 'PROPFIND', answer)
  }
  const bytes = new GrowingBytes()
  for await (const chunk of requests.bytesOf(answer, signal)) {
    bytes.add(chunk)
    if (bytes.length > LARGEST_LISTING_BYTES)
      throw new RemoteError('failed', `${name} sent a list of more than ${formatSize(LARGEST_LISTING_BYTES)}`)
  }
  return parseListing(name, new URL(`${name}/${folder}`), folder, new TextDecoder().decode(bytes.all))
}

/** The items of a folder. All others are left out, so that a list leads nowhere else, and in no circle. */
async function parseListing(name: string, address: URL, folder: string, text: string): Promise<Item[]> {
  const { DOMParser } = await import('@xmldom/xmldom')
  const items: Item[] = []
  try {
    const document = new DOMParser({ onError: refuse }).parseFromString(text, 'application/xml')
    for (const response of document.getElementsByTagNameNS('DAV:', 'response')) {
      const textOf = (property: string) => response.getElementsByTagNameNS('DAV:', property)[0]?.textContent?.trim()
      const href = textOf('href') ?? ''
      const path = URL.canParse(href, address.href) ? new URL(href, address.href).pathname : ''
      const own = path.startsWith(address.pathname) ? path.slice(address.pathname.length) : ''
      if (!/^[\w.-]+\/?$/.test(own) || /^\.+\/?$/.test(own)) continue
      const isFolder = response.getElementsByTagNameNS('DAV:', 'collection').length > 0
      // Without a time, an object counts as new: it must not be removed for its age.
      const modifiedMs = Date.parse(textOf('getlastmodified') ?? '') || originals.now()
      const size = Number(textOf('getcontentlength') ?? 0)
      items.push({ key: `${folder}${own.replace(/\/$/, '')}${isFolder ? '/' : ''}`, isFolder, size, modifiedMs })
    }
  } catch (cause) {
    throw new RemoteError('failed', `${name} sent a list that is not valid XML`, { cause })
  }
  return items
}

function refuse(level: string, message: string): void {
  if (level !== 'warning') throw new Error(message)
}
