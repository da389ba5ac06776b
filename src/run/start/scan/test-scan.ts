import { existsSync } from 'node:fs'
import type { Node } from '@babel/types'
import { selectedKey } from '../../../model/model.ts'
import { selectionKey } from '../../../model/selection.ts'
import { createHash } from '../../../platform/late-crypto.ts'
import type { KeptTest } from '../kept-sources.ts'
import { type Finding, findLoads, type Loads } from './find-loads.ts'
import { TRANSFORMERS } from './model-of-call.ts'
import { leadingTo, reachedFrom } from './reach.ts'
import { misses, type SourceFiles } from './source-files.ts'
import { Code, type Module } from './values.ts'

const LOADERS_OF_TRANSFORMERS = /^pipeline$|from_pretrained$/

/** Finds what test files name, in source files that were read. */
export class TestScan {
  readonly #code: Code
  readonly #loads = new WeakMap<Module, Loads>()
  readonly #unreadable = new Set<string>()
  readonly #leading: Set<string>

  constructor(private readonly sources: SourceFiles) {
    const { files, deadline } = sources
    this.#code = new Code(deadline)
    this.#leading = leadingTo(
      [...files].filter(([, file]) => file.hasNames || misses(file)).map(([key]) => key),
      files,
    )
  }

  /** What a test file names. Undefined if the time was too short. */
  async namedBy(testFile: string, setupFiles: string[]): Promise<KeptTest | undefined> {
    const named = await this.#namedBy([testFile, ...setupFiles])
    // Syntax trees take much memory.
    this.#code.modules.delete(testFile)
    return named
  }

  async #namedBy(roots: string[]): Promise<KeptTest | undefined> {
    const { files } = this.sources
    const leads = (key: string) => this.#leading.has(key)
    if (!roots.some(leads)) return summaryOf([], true)
    for (const key of reachedFrom(roots, files, leads)) if (!(await this.#parse(key))) return undefined
    const mocks = this.#modules(roots).flatMap(({ mocks }) => mocks)
    const mocked = new Set(
      this.#modules(roots).flatMap(({ targets }) => mocks.flatMap((mock) => targets.get(mock) ?? [])),
    )
    const reached = [...reachedFrom(roots, files, (key) => leads(key) && !mocked.has(key))]
    const modules = this.#modules(reached)
    const isReplaced = mocks.some((mock) => TRANSFORMERS.test(mock)) || modules.some(({ hasOwnModels }) => hasOwnModels)
    const isReal = ({ loader = '', through }: Finding) =>
      !(isReplaced && LOADERS_OF_TRANSFORMERS.test(loader)) && !through.some((key) => mocked.has(key))
    const loads = modules.map((module) => this.#loadsOf(module))
    if (!(await this.sources.hasTime())) return undefined
    const real = loads.flatMap(({ found }) => found).filter(isReal)
    const isCalled = (node: Node) => loads.some(({ called }) => called.has(node))
    const isOpen = ({ isOpen, parameterOf }: Finding) => isOpen || (parameterOf && !isCalled(parameterOf))
    const isRead = !reached.some((key) => this.#unreadable.has(key)) && !modules.some(({ isOpen }) => isOpen)
    const isWhole = isRead && !real.some(isOpen)
    // transformers.js takes an id for a folder of the project, if there is such a folder.
    const isFolder = ({ model }: Finding) => model !== undefined && existsSync(this.sources.pathOf(model.repo))
    return summaryOf(
      real.filter((finding) => !isFolder(finding)),
      isWhole,
    )
  }

  #modules(keys: string[]): Module[] {
    return keys.flatMap((key) => this.#code.modules.get(key) ?? [])
  }

  #loadsOf(module: Module): Loads {
    const loads = this.#loads.get(module) ?? findLoads(this.#code, module)
    this.#loads.set(module, loads)
    return loads
  }

  /** False if the time was too short. */
  async #parse(key: string): Promise<boolean> {
    if (this.#code.modules.has(key) || this.#unreadable.has(key)) return true
    if (!(await this.sources.hasTime())) return false
    const { parseModule } = await import('./parse-module.ts')
    const text = this.sources.textOf(key)
    const targets = new Map(Object.entries(this.sources.files.get(key)?.targets ?? {}))
    const module = text === undefined ? undefined : parseModule(text, key, targets)
    if (module) this.#code.modules.set(key, module)
    else this.#unreadable.add(key)
    return true
  }
}

function summaryOf(found: Finding[], isWhole: boolean): KeptTest {
  const models = found.flatMap(({ model, test }) =>
    model ? [{ repo: model.repo, revision: model.revision, selection: selectionKey(model.selection), test }] : [],
  )
  // An id in another place, too, such as that of a call in a variable, adds nothing.
  const stated = new Set(models.flatMap(({ repo, revision }) => [`${repo}`, `${repo}@${revision}`]))
  const ids = found.flatMap(({ id, test, loader }) =>
    id !== undefined && (loader !== undefined || !stated.has(id)) ? [{ id, test }] : [],
  )
  const keys = [...found.flatMap(({ model }) => (model ? [selectedKey(model)] : [])), ...ids.map(({ id }) => id)]
  const told = JSON.stringify([[...new Set(keys)].sort(), isWhole])
  const digest = createHash('sha256').update(told).digest('hex').slice(0, 12)
  return { models: distinct(models), ids: distinct(ids), isWhole, digest }
}

function distinct<Each>(list: Each[]): Each[] {
  return [...new Map(list.map((each) => [JSON.stringify(each), each])).values()]
}
