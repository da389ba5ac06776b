import type { Node } from '@babel/types'
import { isText } from '../../../model/json.ts'
import { calleeName, keyOf } from './expression.ts'
import type { Call, Expression, Facts, Use } from './facts.ts'
import { isRelevant } from './keep-needed.ts'

const HTTP_MOCKS = /^(msw|nock|fetch-mock|vitest-fetch-mock|jest-fetch-mock)(\/|$)/
/** Settings of `env` of transformers.js. */
const OWN_MODELS = /\.(allowRemoteModels|localModelPath|remoteHost|remotePathTemplate|customCache|fetch)$/
const FETCH = /^(globalThis|global|window)\.fetch$/

/** Collects the facts of a file. */
export class Notes {
  readonly calls: Call[] = []
  readonly uses: Use[] = []
  isWhole = true
  #imports = new Set<string>()
  #names = new Map<string, Expression[]>()
  #exports = new Map<string, Expression>()
  #stars = new Set<string>()
  #mocks = new Set<string>()
  #hasHttpMock = false
  #hasOwnModels = false

  facts(): Facts {
    const names = [...this.#names].map(([name, values]) => [name, values.length === 1 ? values[0] : { any: values }])
    return {
      ...{ isParsed: true, isWhole: this.isWhole, imports: [...this.#imports] },
      ...{ names: Object.fromEntries(names), exports: Object.fromEntries(this.#exports), stars: [...this.#stars] },
      ...{ calls: this.calls, uses: this.uses, mocks: [...this.#mocks], hasHttpMock: this.#hasHttpMock },
      hasOwnModels: this.#hasOwnModels,
    }
  }

  import(specifier: string): void {
    this.#imports.add(specifier)
    if (HTTP_MOCKS.test(specifier)) this.#hasHttpMock = true
  }

  importNames({ source, specifiers, importKind }: Extract<Node, { type: 'ImportDeclaration' }>): void {
    if (importKind === 'type' || importKind === 'typeof') return
    const from = source.value
    this.import(from)
    for (const each of specifiers) {
      const imported = each.type === 'ImportSpecifier' ? (keyOf(each.imported, false) ?? '*') : undefined
      this.name(each.local.name, { from, name: imported ?? (each.type === 'ImportDefaultSpecifier' ? 'default' : '*') })
    }
  }

  /** Notes a value of a name. A name with several values can have each of them. */
  name(name: string, value: Expression): void {
    const values = this.#names.get(name) ?? []
    if (value !== null || values.length === 0) this.#names.set(name, [...values, value])
  }

  export(name: string, value: Expression): void {
    this.#exports.set(name, value)
  }

  exportAll(specifier: string): void {
    this.import(specifier)
    this.#stars.add(specifier)
  }

  exportNames({ source, specifiers }: Extract<Node, { type: 'ExportNamedDeclaration' }>): void {
    const from = source?.value
    if (from !== undefined) this.import(from)
    for (const each of specifiers) {
      const local = each.type === 'ExportSpecifier' ? each.local.name : '*'
      this.export(keyOf(each.exported, false) ?? '', from === undefined ? { ref: local } : { from, name: local })
    }
  }

  /** A text, or what a name means, in a place where it may be an id. */
  use(value: Expression, test: string | undefined): void {
    if (isRelevant(value)) this.uses.push(test === undefined ? { value } : { value, test })
  }

  assign(left: Node, value: Expression): void {
    if (left.type === 'Identifier') this.name(left.name, value)
    const name = calleeName(left) ?? ''
    if (FETCH.test(name)) this.#hasHttpMock = true
    if (OWN_MODELS.test(name)) this.#hasOwnModels = true
    if (name === 'module.exports') this.export('default', value)
    const [, exported] = /^(?:module\.)?exports\.(\w+)$/.exec(name) ?? []
    if (exported !== undefined) this.export(exported, value)
  }

  /** Notes what a call replaces by a mock. */
  mock(name: string, args: Expression[]): void {
    const [first] = args
    if (/^(vi|vitest|jest)\.(mock|doMock|unstable_mockModule)$/.test(name) && first !== undefined && first !== null) {
      const mocked = isText(first) ? first : typeof first === 'object' && 'from' in first ? first.from : undefined
      if (mocked !== undefined) this.#mocks.add(mocked)
    }
    if (/\.(stubGlobal|spyOn)$/.test(name) && args.includes('fetch')) this.#hasHttpMock = true
  }
}
