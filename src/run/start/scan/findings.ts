import type { Call, Expression } from './facts.ts'
import { isLikeId } from './keep-needed.ts'
import { type Loaded, modelOfCall } from './model-of-call.ts'
import { combinations, plainValues } from './plain-values.ts'
import { Evaluator, functionKey, type Scope, type Sources } from './values.ts'

/** What one place in a file says about models. */
export interface Finding extends Loaded {
  /** The loader of the call. Undefined if the id is used in another place. */
  loader?: string
  /** The full name of the test around. */
  test?: string
  /** The files of the functions that lead to the call. */
  through?: string[]
}

/** No loader takes more arguments that matter. */
const MOST_ARGUMENTS = 3
/** How many functions of the project a call may go through. */
const DEEPEST_CALL = 4

/** Finds the models that source files name. */
export class Findings {
  #evaluator: Evaluator
  #found = new Map<string, Finding[]>()
  #called = new Set<string>()

  constructor(
    private readonly sources: Sources,
    /** The addresses of Hubs. */
    private readonly bases: readonly string[],
  ) {
    this.#evaluator = new Evaluator(sources)
  }

  /** What the file itself says, without the files that it imports. */
  of(path: string): Finding[] {
    const known = this.#found.get(path)
    if (known) return known
    const { calls, uses } = this.sources.get(path)?.facts ?? { calls: [], uses: [] }
    const ids = uses.flatMap(({ value, test }) =>
      plainValues(value, { path }, this.#evaluator)
        .flatMap(idsIn)
        .map((id) => ({ id, test })),
    )
    const found = [...calls.flatMap((call) => this.#ofCall(call, { path }, 0)), ...ids]
    this.#found.set(path, found)
    return found
  }

  /** True if calls of a function were found. */
  isCalled(functionKey: string): boolean {
    return this.#called.has(functionKey)
  }

  #ofCall(call: Call, at: Scope, depth: number): Finding[] {
    const { loader, test } = call
    if (loader === undefined) return this.#throughFunction(call, at, depth).map((finding) => ({ ...finding, test }))
    if (!this.#isLoader(call, at)) return []
    const args = call.args.slice(0, MOST_ARGUMENTS).map((arg) => plainValues(arg, at, this.#evaluator))
    return combinations(args).map((values) => ({ ...modelOfCall(loader, values, this.bases), loader, test }))
  }

  /** The calls inside a function of the project, with the arguments with which it is called. */
  #throughFunction({ callee, args }: Call, at: Scope, depth: number): Finding[] {
    if (depth >= DEEPEST_CALL) return []
    return this.#evaluator.valuesOf(callee, at).flatMap((value) => {
      if (value.is !== 'function') return []
      const { path, name } = value
      this.#called.add(functionKey(path, name))
      const inside = this.sources.get(path)?.facts.calls.filter(({ within }) => within === name) ?? []
      const found = inside.flatMap((call) => this.#ofCall(call, { path, called: { name, args, from: at } }, depth + 1))
      return found.map((finding) => ({ ...finding, through: [path, ...(finding.through ?? [])] }))
    })
  }

  /** False for a function of another library that has the same name. */
  #isLoader({ loader, callee }: Call, at: Scope): boolean {
    if (loader === 'downloadFile' || loader === 'snapshotDownload')
      return this.#evaluator
        .valuesOf(callee, at)
        .some((value) => value.is === 'foreign' && value.specifier === '@huggingface/hub')
    return !loader?.startsWith('models.') || this.#areOurs(callee ?? null, at)
  }

  /** True for `models` of the test context, of `vitest-model-cache/models`, or of no module. */
  #areOurs(models: Expression, { path }: Scope, depth = 0): boolean {
    if (models === null) return true
    if (typeof models !== 'object' || depth > DEEPEST_CALL) return false
    if ('param' in models) return true
    if ('from' in models) return /^vitest-model-cache(\/|$)/.test(models.from)
    if ('get' in models) return models.get === null || this.#areOurs(models.get, { path }, depth + 1)
    if ('any' in models) return models.any.some((each) => this.#areOurs(each, { path }, depth + 1))
    if (!('ref' in models)) return false
    const names = this.sources.get(path)?.facts.names ?? {}
    if (!Object.hasOwn(names, models.ref)) return models.ref === 'models'
    const value = names[models.ref] ?? null
    return value !== null && this.#areOurs(value, { path }, depth + 1)
  }
}

function idsIn(value: unknown): string[] {
  if (typeof value === 'string') return isLikeId(value) ? [value] : []
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(idsIn) : []
}
