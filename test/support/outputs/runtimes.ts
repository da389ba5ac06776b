import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { installPackages, versionOf } from '../matrix/lanes.ts'
import type { FeedInput } from './feeds.ts'

/** A version of onnxruntime-node in a folder. */
export interface Runtime {
  version: string
  directory: string
}

/** The version that this repository uses. */
export async function ownRuntime(): Promise<Runtime> {
  return { version: await versionOf('onnxruntime-node'), directory: REPOSITORY }
}

export async function installRuntime(version: string, parent: string): Promise<Runtime> {
  const directory = join(parent, version)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'package.json'), '{ "private": true }')
  await installPackages(directory, [`onnxruntime-node@${version}`])
  return { version, directory }
}

/** What a process found that loaded a model: milliseconds of processor time to load it, and a hash of its outputs. */
export type Loaded = { loadMs: number; hash: string } | { error: string }

/** Loads and runs a model in a process of its own. */
export async function runModel({ directory }: Runtime, path: string, feeds: FeedInput[][]): Promise<Loaded> {
  const args = [PROGRAM, directory, path, JSON.stringify(feeds)]
  const { stdout, exitCode, signal } = await execa(process.execPath, args, { reject: false })
  return stdout ? JSON.parse(stdout) : { error: `the process ended with ${signal ?? exitCode}` }
}

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
const PROGRAM = fileURLToPath(new URL('run-model.mjs', import.meta.url))
