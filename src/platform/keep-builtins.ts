import { keepCrypto } from './late-crypto.ts'

/**
 * Has this process keep the functions of modules of Node.js that a download loads late. Tests in the same process may replace them, and
 * Node.js passes on the functions that it finds at the first import.
 */
export async function keepBuiltins(): Promise<void> {
  await Promise.all([import('node:http'), import('node:https'), import('node:zlib'), keepCrypto()])
}
