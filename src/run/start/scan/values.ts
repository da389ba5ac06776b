import type { Node, Function as SomeFunction } from '@babel/types'
import { isObject } from '../../../model/json.ts'
import { originals } from '../../../platform/originals.ts'

export type FunctionNode = Extract<SomeFunction, { params: unknown }>

const MOST_STEPS = 100_000
const STEPS_FOR_A_LOOK = 1_000

/** The modules of a project that were parsed, and what is left of the work for one of them. */
export class Code {
  readonly modules = new Map<string, Module>()
  depth = 0
  /** Counts what makes values that hold only here: parameters of functions, and work that was cut. */
  passing = 0
  /** The exports that are looked for. Modules may export each other. */
  readonly sought = new Set<string>()
  #stepsLeft = 0

  /** Work ends at the `deadline`, on the clock `monotonic`. */
  constructor(private readonly deadline = Number.POSITIVE_INFINITY) {}

  /** Begins the work for one module. */
  start(): void {
    this.#stepsLeft = MOST_STEPS
    this.depth = 0
    this.sought.clear()
  }

  /** Counts a step. False if the steps or the time are used up. */
  step(): boolean {
    if (!this.isOver && --this.#stepsLeft % STEPS_FOR_A_LOOK === 0 && originals.monotonic() > this.deadline) this.end()
    if (this.isOver) this.passing++
    return !this.isOver
  }

  end(): void {
    this.#stepsLeft = 0
  }

  get isOver(): boolean {
    return this.#stepsLeft <= 0
  }
}

/** A parsed source file: the values of its names, wherever they are declared in the file, and what it exports. */
export interface Module {
  path: string
  program: Node
  /** The paths of the files that it imports, by the modules as they are written. Modules of packages are left out. */
  targets: ReadonlyMap<string, string>
  /** With the fields of its classes, such as `this.model`. */
  names: Map<string, Binding[]>
  /** The values of names that hold everywhere in the file, as far as they were asked for. */
  known: Map<string, unknown[]>
  exports: Map<string, Binding>
  /** The modules of `export * from`. */
  stars: string[]
  /** The modules that it replaces by mocks. */
  mocks: string[]
  /** The names of functions such as `process.env.E2E ? test : test.skip`. */
  skipping: Set<string>
  /** True if it sets where transformers.js takes models from: then it may ask no Hub. */
  hasOwnModels: boolean
  /** True if it imports a file of the project that was not found. */
  isOpen: boolean
}

/** Where an expression is evaluated. */
export interface Scope {
  code: Code
  module: Module
  /** The parameters of the functions around. */
  locals: ReadonlyMap<string, Binding>
}

/**
 * All values that a name can have, as JavaScript has them: texts, numbers, objects, lists. None for `undefined`. In place of other
 * values there are instances of the classes below.
 */
export type Binding = (scope: Scope) => unknown[]

/** A value that is not known. */
export class Unknown {
  /** `parameterOf`: it is an argument of this function. `from`: it is an export of this package, with this `name`. */
  constructor(readonly of: { parameterOf?: Node; from?: string; name?: string } = {}) {}
}

/** A function of the project. */
export class ProjectFunction {
  constructor(
    readonly node: FunctionNode,
    readonly scope: Scope,
  ) {}
}

/** A module with all its exports. `path` is undefined for one of a package. */
export class WholeModule {
  constructor(
    readonly specifier: string,
    readonly path: string | undefined,
  ) {}
}

export const UNKNOWN = new Unknown()
/** The key of a field for what else an object may have. */
export const MORE = '...'

const MOST_COMBINATIONS = 30

/**
 * Each combination that takes one value of each list, where no value is `undefined`. If there are many, some of them, and one of unknown
 * values for the others.
 */
export function combinations(lists: unknown[][]): unknown[][] {
  let found: unknown[][] = [[]]
  let isCut = false
  for (const list of lists) {
    const most = Math.floor(MOST_COMBINATIONS / found.length)
    const [first, ...others] = list.slice(0, most)
    isCut ||= list.length > most
    const more = found.flatMap((before) => others.map((value) => [...before, value]))
    for (const each of found) each.push(first)
    found = [...found, ...more]
  }
  return isCut ? [...found, lists.map(() => UNKNOWN)] : found
}

/** True for an object or a list, whose parts may be unknown. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && ![Unknown, ProjectFunction, WholeModule].some((kind) => value instanceof kind)
}

/** True if a value has no unknown part, at any depth. */
export function isWhollyKnown(value: unknown): boolean {
  return isPlain(value) ? Object.values(value).every(isWhollyKnown) : !isObject(value)
}

/** The texts in a value, at any depth. */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return isPlain(value) ? Object.values(value).flatMap(textsIn) : []
}
