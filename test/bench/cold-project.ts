import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hub, startHub } from '../support/hub/index.ts'
import { cleanEnvironment, ProjectFolder } from '../support/project-folder.ts'
import { makeFile } from './made-file.ts'
import { type Cost, runProcess } from './process.ts'
import { PROGRAMS } from './programs.ts'

/** What a cold start took, by itself and at the Hub. */
export interface ColdRun extends Cost {
  /** Of all bodies that the Hub sent. */
  wireBytes: number
  requests: number
}

/** A model on the loopback Hub: one large file, and the few small ones of a model for text. */
export interface ServedModel {
  repo: string
  /** Of the large file. */
  url: string
  sha256: string
  bytes: number
  /** Of all files. */
  totalBytes: number
}

const LARGE_FILE = 'onnx/model.onnx'
const SMALL_FILES = {
  'config.json': JSON.stringify({ model_type: 'bert', hidden_size: 384 }),
  'tokenizer_config.json': JSON.stringify({ tokenizer_class: 'BertTokenizer' }),
  // As large as those of models for text are.
  'tokenizer.json': JSON.stringify({ vocabulary: Array.from({ length: 40_000 }, (_, index) => `token-${index}`) }),
}

/** A project with the programs, a Hub, and runs that begin with nothing. */
export class ColdProject {
  private constructor(
    readonly project: ProjectFolder,
    readonly hub: Hub,
  ) {}

  static async create(packageDirectory: string, files: Record<string, string> = {}): Promise<ColdProject> {
    const project = await ProjectFolder.create({ packageDirectory, files: { ...PROGRAMS, ...files } })
    return new ColdProject(project, await startHub())
  }

  /** Puts a model on the Hub whose large file has random bytes. */
  async serve(repo: string, bytes: number): Promise<ServedModel> {
    const path = join(this.project.directory, 'made', repo, LARGE_FILE)
    const sha256 = await makeFile(path, bytes)
    const files = { ...SMALL_FILES, [LARGE_FILE]: { path } }
    const repository = this.hub.addRepo(repo, { files, pipelineTag: 'feature-extraction' })
    const url = `${this.hub.url}/${repo}/resolve/main/${LARGE_FILE}`
    return { repo, url, sha256, bytes, totalBytes: repository.totalBytes() }
  }

  /** Puts a repo of nothing but such files on the Hub; gives their sha256. */
  async serveFiles(repo: string, sizes: number[]): Promise<string[]> {
    const folder = join(this.project.directory, 'made', repo)
    const made = sizes.map((bytes, index) => makeFile(join(folder, `${index}.bin`), bytes))
    const digests = await Promise.all(made)
    this.hub.addRepo(repo, { directory: folder, lfsThreshold: 0 })
    return digests
  }

  /** A process in a fresh folder, which goes when its time is taken; `file`, where it is known, has to be of that size then. */
  run(
    command: string,
    args: (folder: string) => string[],
    { file, bytes }: { file?: string; bytes?: number } = {},
  ): () => Promise<ColdRun> {
    return async () => {
      const folder = await this.freshFolder()
      this.hub.clearRequests()
      const cost = await runProcess(command, args(folder), {
        cwd: this.project.directory,
        env: { ...cleanEnvironment(), ...this.environment(folder) },
      })
      if (file !== undefined && (await stat(join(folder, file))).size !== bytes)
        throw new Error(`${command} left a file of another size.`)
      await rm(folder, { recursive: true })
      return { ...cost, ...(await this.atHub()) }
    }
  }

  /** A program of the project's. */
  node(args: (folder: string) => string[]): () => Promise<ColdRun> {
    return this.run(process.execPath, args)
  }

  /** A folder with nothing in it, on the disk of the project. */
  async freshFolder(): Promise<string> {
    const parent = join(this.project.directory, 'runs')
    await mkdir(parent, { recursive: true })
    return mkdtemp(join(parent, 'run-'))
  }

  /** What makes a process begin with nothing: caches of its own, below that folder. */
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
