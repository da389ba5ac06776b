import { statfsSync } from 'node:fs'
import process from 'node:process'

/**
 * The types of file systems whose files are on another machine, by the numbers of `statfs(2)` and of the kernel's `magic.h`: NFS,
 * SMB and CIFS, FUSE (sshfs, cloud storage), virtiofs, 9p (WSL, virtual machines), AFS, Ceph, Lustre, GPFS and GFS2, and the shared
 * folders of VirtualBox and VMware.
 */
const TYPES: readonly number[] = [
  ...[0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x6a65_6a63, 0x0102_1997, 0x5346_414f],
  ...[0x00c3_6400, 0x0bd0_0bd0, 0x4750_4653, 0x0116_1970, 0x786f_4256, 0xbacb_acbc],
]

/**
 * True when the file system of a path is known to be on another machine. If such a file is replaced there, or the connection breaks,
 * a process that has it mapped is killed by a SIGBUS. Only Linux states the type.
 */
export function isOnNetwork(path: string): boolean {
  // The number is signed on some machines.
  return process.platform === 'linux' && TYPES.includes(statfsSync(path).type >>> 0)
}
