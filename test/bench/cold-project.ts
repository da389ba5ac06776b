import { cp, mkdir, mkdtemp, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hub, startHub } from '../support/hub/index.ts'
import { cleanEnvironment, ProjectFolder } from '../support/project-folder.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { makeFile } from './made-file.ts'
import { type Cost, runProcess } from './process.ts'
import { PROGRAMS } from './programs.ts'

/** The cost of a cold start, with its traffic at the Hub. */
export interface ColdRun extends Cost {
  /** The bytes of all bodies that the Hub sent. */
  wireBytes: number
  requests: number
}

/** A model on the loopback Hub: one large file, and the small files of a text model. */
export interface ServedModel {
  repo: string
  /** The address of the large file; `sha256` and `bytes` are of the same file. */
  url: string
  sha256: string
  bytes: number
  /** The bytes of all files. */
  totalBytes: number
}

const LARGE_FILE = 'onnx/model.onnx'
const SMALL_FILES = {
  'config.json': JSON.stringify({ model_type: 'bert', hidden_size: 384 }),
  'tokenizer_config.json': JSON.stringify({ tokenizer_class: 'BertTokenizer' }),
  // As large as the tokenizer of a real text model.
  'tokenizer.json': JSON.stringify({ vocabulary: Array.from({ length: 40_000 }, (_, index) => `token-${index}`) }),
}

/** A project with the programs and a Hub, for runs that start with an empty cache. */
export class ColdProject {
  private constructor(
    readonly project: ProjectFolder,
    readonly hub: Hub,
  ) {}

  static async create(packageDirectory: string, files: Record<string, string> = {}): Promise<ColdProject> {
    const project = await ProjectFolder.create({ packageDirectory, files: { ...PROGRAMS, ...files } })
    return new ColdProject(project, await startHub())
  }

  /** Adds a model to the Hub whose large file has random bytes. */
  async serve(repo: string, bytes: number): Promise<ServedModel> {
    const path = join(this.project.directory, 'made', repo, LARGE_FILE)
    const sha256 = await makeFile(path, bytes)
    const files = { ...SMALL_FILES, [LARGE_FILE]: { path } }
    const repository = this.hub.addRepo(repo, { files, pipelineTag: 'feature-extraction' })
    const url = `${this.hub.url}/${repo}/resolve/main/${LARGE_FILE}`
    return { repo, url, sha256, bytes, totalBytes: repository.totalBytes() }
  }

  /** Adds a repo to the Hub with files of these sizes (bytes) and random content. Returns their sha256. */
  async serveFiles(repo: string, sizes: number[]): Promise<string[]> {
    const folder = join(this.project.directory, 'made', repo)
    const made = sizes.map((bytes, index) => makeFile(join(folder, `${index}.bin`), bytes))
    const digests = await Promise.all(made)
    this.hub.addRepo(repo, { directory: folder, lfsThreshold: 0 })
    return digests
  }

  /** Runs a process in a new folder, which is removed afterwards. If `file` is given, it must then have that size. `env` is added. */
  run(
    command: string,
    args: (folder: string) => string[],
    { file, bytes, env = {} }: { file?: string; bytes?: number; env?: Record<string, string> } = {},
  ): () => Promise<ColdRun> {
    return async () => {
      const folder = await this.freshFolder()
      this.hub.clearRequests()
      const cost = await runProcess(command, args(folder), {
        cwd: this.project.directory,
        env: { ...cleanEnvironment(), ...this.environment(folder), ...env },
      })
      if (file !== undefined && (await stat(join(folder, file))).size !== bytes)
        throw new Error(`${command} wrote a file of the wrong size.`)
      await removeFolder(folder)
      return { ...cost, ...(await this.atHub()) }
    }
  }

  /** Runs a program of the project with Node.js. */
  node(args: (folder: string) => string[], env?: Record<string, string>): () => Promise<ColdRun> {
    return this.run(process.execPath, args, { env })
  }

  /** Creates an empty folder on the disk of the project. */
  async freshFolder(): Promise<string> {
    const parent = join(this.project.directory, 'runs')
    await mkdir(parent, { recursive: true })
    return mkdtemp(join(parent, 'run-'))
  }

  /** As `freshFolder`, with an empty cache that has the records of the runs in another such folder. */
  async freshFolderAfter(trained: string): Promise<string> {
    const folder = await this.freshFolder()
    await mkdir(join(folder, 'cache'))
    for (const name of ['cache.json', 'runs'])
      await cp(join(trained, 'cache', name), join(folder, 'cache', name), { recursive: true })
    await writeFile(join(folder, 'cache', 'cache_metadata.json'), '[]')
    return folder
  }

  /** The environment of a cold start: all caches are below that folder. */
  environment(folder: string): Record<string, string> {
    return { HF_ENDPOINT: this.hub.url, HF_HOME: join(folder, 'home'), MODEL_CACHE_DIR: join(folder, 'cache') }
  }

  async atHub(): Promise<Pick<ColdRun, 'wireBytes' | 'requests'>> {
    await this.hub.idle()
    return { wireBytes: this.hub.bytesSent(), requests: this.hub.requests.length }
  }

  async remove(): Promise<void> {
    await this.hub.close()
    await this.project.remove()
  }
}
