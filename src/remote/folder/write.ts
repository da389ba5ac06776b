import { link, lstat, open, opendir, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'
import { bytesOfBody } from '../bytes-of-body.ts'
import type { ObjectBody } from '../store.ts'
import { unlessAbsent } from './absent.ts'
import { isLeftover, leftoverName } from './names.ts'

// No writer takes that long for one object. Clocks of machines differ by less.
const LEFTOVER_MS = 24 * 3_600_000
const UNSUPPORTED = ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL']
const NO_LINKS = ['EPERM', 'EMLINK', 'EXDEV', ...UNSUPPORTED]

/** Writes a file so that others see all of it or nothing. A file that exists is kept, unless `overwrite` is true. */
export async function writeObject(
  file: string,
  body: ObjectBody,
  { signal, overwrite, mode }: { signal: AbortSignal; overwrite: boolean; mode: number },
): Promise<'written' | 'exists'> {
  const temporary = join(dirname(file), leftoverName())
  try {
    await writeWhole(temporary, body, signal, mode)
    return await (overwrite ? replace(temporary, file) : publish(temporary, file))
  } finally {
    await unlessAbsent(unlink(temporary))
  }
}

async function writeWhole(temporary: string, body: ObjectBody, signal: AbortSignal, mode: number): Promise<void> {
  const file = await open(temporary, 'wx', 0o600)
  try {
    for await (const chunk of bytesOfBody(body)) {
      signal.throwIfAborted()
      await file.writeFile(chunk)
    }
    await file.chmod(mode).catch(() => undefined)
    await file.sync().catch(ignoreUnsupported)
  } finally {
    await file.close()
  }
}

/** Gives the file its name if the name is free. A link never replaces a file. Where there are no links, a file of another writer can be replaced. */
async function publish(temporary: string, file: string): Promise<'written' | 'exists'> {
  try {
    await link(temporary, file)
    return 'written'
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return 'exists'
    if (!NO_LINKS.includes(systemCode(error) ?? '')) throw error
  }
  return (await unlessAbsent(lstat(file))) ? 'exists' : replace(temporary, file)
}

async function replace(temporary: string, file: string): Promise<'written'> {
  await rename(temporary, file)
  return 'written'
}

/** Removes what writers left that were killed long ago. In some folders only the writer itself may do that. */
export async function removeLeftovers(folder: string): Promise<void> {
  for await (const { name } of await opendir(folder)) {
    if (!isLeftover(name)) continue
    const path = join(folder, name)
    const stats = await unlessAbsent(lstat(path))
    const isOld = stats !== undefined && originals.now() - stats.mtimeMs > LEFTOVER_MS
    if (isOld) await unlink(path).catch(() => undefined)
  }
}

/** Some network disks can't sync. */
function ignoreUnsupported(error: unknown): void {
  if (!UNSUPPORTED.includes(systemCode(error) ?? '')) throw error
}
