import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { execa } from 'execa'
import pLimit from 'p-limit'
import { ProjectFolder } from '../project-folder.ts'
import { removeFolder } from '../remove-folder.ts'
import type { Block } from './document.ts'
import { type DocumentsHub, startDocumentsHub } from './models.ts'

/** The lines of the documents that are not executed, with the reason. */
const NOT_EXECUTED: [RegExp, string][] = [
  [/^npm install --save-dev vitest-model-cache\b/, 'not published yet; test/package.test.ts installs the tarball'],
  [
    /^(cp -r node_modules\/vitest-model-cache\/examples\/|npm install$|npm test$)/,
    'test/examples.test.ts runs the examples',
  ],
  [/^npm ci$/, 'the modules are linked'],
  [/^npx vitest-model-cache serve(?! --help)( |$)/, 'runs until it is stopped; test/cli/serve.test.ts starts it'],
  [/^HF_ENDPOINT=http:\/\/models\.example/, 'there is no such machine'],
  [/^docker run /, 'Docker is not available'],
]

/** A test that only asks for the model of Start: loading it takes as long as all the rest of a run. */
export const ASKS = `
  import { test } from 'vitest'
  test('asks', async ({ models }) => { await models.path('Xenova/all-MiniLM-L6-v2') })
`

export interface Outcome {
  exitCode: number
  stdout: string
  output: string
}

// Documents keep the default time limit of 5 s for a test. On a busy machine a model takes longer to load.
const PATIENT_NPX = `npx() {
  if [ "$1" = vitest ] || [ "$1" = jest ]; then command npx "$@" --testTimeout=120000; else command npx "$@"; fi
}`

/** Folders of users' projects with the packed package, and their Hub. */
export class Workshop {
  private folders = 0
  /** Limits the number of processes to two, because the other tests that run at the same time have time limits. */
  private readonly inTurn = pLimit(2)

  private constructor(
    readonly documentsHub: DocumentsHub,
    private readonly project: ProjectFolder,
    private readonly home: string,
  ) {}

  static async open(packageDirectory: string): Promise<Workshop> {
    const [hub, project, home] = await Promise.all([
      startDocumentsHub(),
      ProjectFolder.create({ packageDirectory }),
      mkdtemp(join(tmpdir(), 'home of a reader ')),
    ])
    const workshop = new Workshop(hub, project, home)
    await workshop.layOutCommands()
    return workshop
  }

  get hub() {
    return this.documentsHub.hub
  }

  /** Creates a folder with files from the blocks of a document. */
  async folder(files: Record<string, string>): Promise<string> {
    const folder = join(this.project.directory, `project ${++this.folders}`)
    await mkdir(folder)
    await this.write(folder, { 'package.json': '{ "type": "module", "private": true }', ...files })
    return folder
  }

  async write(folder: string, files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      // The vectors of the generated model are shorter than those of the real one.
      await writeFile(join(folder, path), text.replaceAll('384', String(this.documentsHub.dimension)))
    }
  }

  /** Runs lines of a document in a shell, up to the first that fails. */
  async run(lines: string, folder: string, env: Record<string, string> = {}): Promise<Outcome> {
    const executed = lines.split('\n').filter((line) => !isNotExecuted(line))
    const own = { HF_ENDPOINT: this.hub.url, HOME: this.home, PATH: `${this.bin}${delimiter}${process.env.PATH}` }
    const script = [`cd ${quote(folder)}`, 'set -e', PATIENT_NPX, ...executed].join('\n')
    return this.inTurn(() => this.project.shell(script, { ...own, ...env }))
  }

  /** Saves a copy of the shared cache. */
  async keepCache(): Promise<void> {
    await execa('cp', ['-a', this.project.cacheDir, this.keptCache])
  }

  /** A fresh copy of the saved cache, for one run. */
  async copyOfCache(): Promise<string> {
    const copy = join(this.home, `cache ${++this.folders}`)
    await execa('cp', ['-a', this.keptCache, copy])
    return copy
  }

  async close(): Promise<void> {
    await this.documentsHub.close()
    await this.project.remove()
    await removeFolder(this.home)
  }

  private get keptCache(): string {
    return join(this.home, 'kept cache')
  }

  private get bin(): string {
    return join(this.home, 'bin')
  }

  /**
   * Writes the commands that npm puts on PATH. This `npx` is a short script: the real one takes longer than most of the
   * commands, and test/package.test.ts runs it.
   */
  private async layOutCommands(): Promise<void> {
    await mkdir(this.bin)
    const modules = join(this.project.directory, 'node_modules')
    const commands = {
      npx: 'exec "$@"',
      vitest: `exec node ${quote(join(modules, 'vitest', 'vitest.mjs'))} "$@"`,
      jest: `exec node ${quote(join(modules, 'jest', 'bin', 'jest.js'))} "$@"`,
      'vitest-model-cache': `exec node ${quote(join(modules, 'vitest-model-cache', 'dist', 'cli', 'main.js'))} "$@"`,
    }
    for (const [name, line] of Object.entries(commands)) {
      await writeFile(join(this.bin, name), `#!/bin/sh\n${line}\n`)
      await chmod(join(this.bin, name), 0o755)
    }
  }
}

/** The texts of the blocks that name a file, by path. */
export function filesOf(blocks: Block[]): Record<string, string> {
  return Object.fromEntries(blocks.flatMap(({ file, text }) => (file === undefined ? [] : [[file, text]])))
}

function isNotExecuted(line: string): boolean {
  return NOT_EXECUTED.some(([pattern]) => pattern.test(line.trim()))
}

/** The patterns of `NOT_EXECUTED` that match no line of the documents. */
export function unusedExceptions(lines: string[]): string[] {
  const unused = NOT_EXECUTED.filter(([pattern]) => !lines.some((line) => pattern.test(line.trim())))
  return unused.map(([pattern]) => String(pattern))
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
