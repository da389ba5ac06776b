import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** True if this process may mount file systems: as root, but not in most containers. */
export const canMount = tryMount()

/** Mounts an empty file system in memory. Returns functions that make it read-only and that unmount it. */
export function mountMemory(folder: string, megabytes: number) {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'none', folder], { stdio: 'pipe' })
  return {
    makeReadOnly: () => void execFileSync('mount', ['-o', 'remount,ro', folder], { stdio: 'pipe' }),
    makeWritable: () => void execFileSync('mount', ['-o', 'remount,rw', folder], { stdio: 'pipe' }),
    unmount: () => void execFileSync('umount', [folder], { stdio: 'pipe' }),
  }
}

function tryMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'mount test '))
  try {
    mountMemory(folder, 1).unmount()
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
