import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Message } from './protobuf.ts'

/** The result of every maker. */
export interface MadeModel {
  readonly directory: string
  /** Paths in the folder, with forward slashes, sorted. */
  readonly files: string[]
  /** Bytes of all files. */
  readonly totalBytes: number
}

/** A file's content: text, an object that is written as JSON, or a message that is written block by block. */
export type FileContent = string | { readonly json: unknown } | Message

/** Writes the files to `directory`, which is created if missing. Existing files are replaced. */
export async function writeModelFolder(directory: string, files: Record<string, FileContent>): Promise<MadeModel> {
  let totalBytes = 0
  for (const [path, content] of Object.entries(files)) {
    totalBytes += await writeParts(join(directory, path), partsOf(content))
  }
  return { directory, files: Object.keys(files).sort(), totalBytes }
}

function partsOf(content: FileContent): Message {
  if (typeof content === 'string') return [Buffer.from(content)]
  if ('json' in content) return [Buffer.from(`${JSON.stringify(content.json, null, 2)}\n`)]
  return content
}

async function writeParts(path: string, parts: Message): Promise<number> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'w')
  let written = 0
  try {
    for (const part of parts) {
      for (const block of part instanceof Uint8Array ? [part] : part.blocks()) {
        await file.writeFile(block)
        written += block.byteLength
      }
    }
  } finally {
    await file.close()
  }
  return written
}
