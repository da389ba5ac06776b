import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { execa } from 'execa'
import pLimit from 'p-limit'
import { ProjectFolder } from '../project-folder.ts'
import type { Block } from './document.ts'
import { type DocumentsHub, startDocumentsHub } from './models.ts'

/** Why a line of the documents is not executed. */
const NOT_EXECUTED: [RegExp, string][] = [
  [/^npm install --save-dev vitest-model-cache$/, 'not published yet; test/package.test.ts installs the tarball'],
  [
    /^npm install && npm (run demo|test)$/,
    'the demo has tests of its own in test/examples.test.ts, and this is npm test',
  ],
  [/^npm ci$/, 'what it would install is linked here'],
  [/^docker run /, 'there is no Docker here'],
]

export interface Outcome {
  exitCode: number
  stdout: string
  output: string
}

/** Folders of users' projects with the packed package, and a Hub of their own. */
export class Workshop {
  private folders = 0
  /** Tests that run beside these have time limits: two processes at a time are enough for two cores. */
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

  /** A new folder with what blocks of a document say stands in it. */
  async folder(files: Record<string, string>): Promise<string> {
    const folder = join(this.project.directory, `project ${++this.folders}`)
    await mkdir(folder)
    await this.write(folder, { 'package.json': '{ "type": "module", "private": true }', ...files })
    return folder
  }

  async write(folder: string, files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      // The made model's vectors are shorter than those of the real one.
      await writeFile(join(folder, path), text.replaceAll('384', String(this.documentsHub.dimension)))
    }
  }

  /** Runs lines of a document as a shell does: up to the first that fails. */
  async run(lines: string, folder: string, env: Record<string, string> = {}): Promise<Outcome> {
    const executed = lines.split('\n').filter((line) => !isNotExecuted(line))
    const own = { HF_ENDPOINT: this.hub.url, HOME: this.home, PATH: `${this.bin}${delimiter}${process.env.PATH}` }
    const script = `cd ${quote(folder)} && set -e\n${executed.join('\n')}`
    return this.inTurn(() => this.project.shell(script, { ...own, ...env }))
  }

  /** Keeps the cache that all runs share unless they say otherwise, as it is now. */
  async keepCache(): Promise<void> {
    await execa('cp', ['-a', this.project.cacheDir, this.keptCache])
  }

  /** A copy of what was kept, for a run of its own. */
  async copyOfCache(): Promise<string> {
    const copy = join(this.home, `cache ${++this.folders}`)
    await execa('cp', ['-a', this.keptCache, copy])
    return copy
  }

  async close(): Promise<void> {
    await this.documentsHub.close()
    await this.project.remove()
    await rm(this.home, { recursive: true, force: true })
  }

  private get keptCache(): string {
    return join(this.home, 'kept cache')
  }

  private get bin(): string {
    return join(this.home, 'bin')
  }

  /** What npm puts on PATH. `npx` alone takes longer than most of the commands; test/package.test.ts runs the real one. */
  private async layOutCommands(): Promise<void> {
    await mkdir(this.bin)
    const modules = join(this.project.directory, 'node_modules')
    const commands = {
      npx: 'exec "$@"',
      vitest: `exec node ${quote(join(modules, 'vitest', 'vitest.mjs'))} "$@"`,
      'vitest-model-cache': `exec node ${quote(join(modules, 'vitest-model-cache', 'dist', 'cli', 'main.js'))} "$@"`,
    }
    for (const [name, line] of Object.entries(commands)) {
      await writeFile(join(this.bin, name), `#!/bin/sh\n${line}\n`)
      await chmod(join(this.bin, name), 0o755)
    }
  }
}

/** The files that blocks name, by path. */
export function filesOf(blocks: Block[]): Record<string, string> {
  return Object.fromEntries(blocks.flatMap(({ file, text }) => (file === undefined ? [] : [[file, text]])))
}

function isNotExecuted(line: string): boolean {
  return NOT_EXECUTED.some(([pattern]) => pattern.test(line.trim()))
}

/** Lines of the list that no document has any more. */
export function unusedExceptions(lines: string[]): string[] {
  const unused = NOT_EXECUTED.filter(([pattern]) => !lines.some((line) => pattern.test(line.trim())))
  return unused.map(([pattern]) => String(pattern))
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
