import { expect, test } from 'vitest'
import { parseKept, storeKept } from '../../src/run/start/kept-sources.ts'
import { findLoads } from '../../src/run/start/scan/find-loads.ts'
import { glanceAt } from '../../src/run/start/scan/glance.ts'
import { parseModule } from '../../src/run/start/scan/parse-module.ts'
import { Code } from '../../src/run/start/scan/values.ts'
import fc from '../support/property.ts'

/** What a file says that imports nothing but itself. */
function findingsIn(text: string, path = 'a.test.ts') {
  const module = parseModule(text, path, new Map([['./x', path]]))
  const code = new Code()
  if (module) code.modules.set(path, module)
  return module && findLoads(code, module)
}

/** Ways to write a text, each with the statements that it needs. `n` makes names that no other step has. */
const WAYS: ((value: string, n: number) => [statements: string, value: string])[] = [
  (value, n) => [`const a${n} = ${value}`, `a${n}`],
  (value, n) => [`const b${n} = { x: { y: ${value} }, z: 'org/other' } as const`, `b${n}.x['y']`],
  (value, n) => [`const [, c${n}] = ['org/other', ${value}]`, `c${n}`],
  (value, n) => [`const { d: d${n} = 'org/other' } = { d: ${value} }`, `d${n}`],
  (value, n) => [`let e${n}: string; e${n} = ${value}`, `e${n}!`],
  (value) => ['', `(${value} satisfies string)`],
  (value) => ['', `(${value} ?? 'org/other')`],
  (value, n) => [`function f${n}(x: string) { return models.file(x, 'a') }; f${n}(${value})`, value],
]

test('an id is found in whatever way it is written', () => {
  const ways = fc.array(fc.nat(WAYS.length - 1), { maxLength: 6 })
  fc.assert(
    fc.property(ways, (ways) => {
      const statements: string[] = []
      let value = "'org/name'"
      for (const [n, way] of ways.entries()) {
        const [needed, next] = WAYS[way]?.(value, n) ?? ['', value]
        statements.push(needed)
        value = next
      }
      const text = `${statements.join('\n')}\ntest('x', ({ models }) => models.file(${value}, 'a'))`
      const repos = findingsIn(text)?.found.flatMap(({ model }) => model?.repo ?? [])
      expect(new Set(repos), text).toEqual(new Set(['org/name']))
      expect(glanceAt(text).hasNames).toBe(true)
    }),
  )
})

test('no text breaks the scan', () => {
  const source = `
    import { pipeline as p } from '@huggingface/transformers'; import * as x from './x'; export * from './x'
    const { a: { b = 'org/b' } = {}, ...rest } = await import('./x'); export const c = { ...rest, [a]: x.c, d: c.d }
    class D extends E { static f = 'org/f'; #g = (h, ...i) => p('feature-extraction', h ?? this.f, { dtype: i[0] }) }
    function again(y) { again(y); for (const z of [y, y]) again(z) }; module.exports = { again }
    describe.each([{ j: 1 }, 'org/k'])('l', ({ j }) => test.skipIf(j)('m', async () => { for (const n of [1]) await D.from_pretrained(n) }))
  `
  const cut = fc.tuple(fc.nat(source.length), fc.nat(20), fc.string({ maxLength: 8 }))
  const texts = fc.oneof(
    fc.string(),
    fc.array(cut, { maxLength: 4 }).map((cuts) => {
      let text = source
      for (const [at, length, other] of cuts) text = text.slice(0, at) + other + text.slice(at + length)
      return text
    }),
  )
  fc.assert(
    fc.property(texts, fc.constantFrom('a.ts', 'a.tsx', 'a.js', 'a.json'), (text, path) => {
      glanceAt(text)
      findingsIn(text, path)
    }),
  )
})

test('what is kept is the same when it is read, and damaged parts are left out', () => {
  const found = fc.record({ id: fc.string(), test: fc.option(fc.string(), { nil: undefined }) })
  const models = fc.record({ repo: fc.string(), revision: fc.string(), selection: fc.string() })
  const tests = fc.record({
    models: fc.array(models),
    ids: fc.array(found),
    isWhole: fc.boolean(),
    digest: fc.string(),
  })
  const targets = fc.dictionary(fc.string(), fc.string())
  const files = fc.record({ size: fc.nat(), changedMs: fc.nat(), hash: fc.string(), hasNames: fc.boolean(), targets })
  const table = <Each>(each: fc.Arbitrary<Each>) => fc.dictionary(fc.string(), each).map((all) => Object.entries(all))
  fc.assert(
    fc.property(table(files), table(tests), fc.string(), fc.jsonValue(), (files, tests, key, damage) => {
      const kept = { files: new Map(files), tests: new Map(tests) }
      const stored: unknown = JSON.parse(JSON.stringify(storeKept(kept)))
      expect(storeKept(parseKept(stored))).toEqual(stored)
      const damaged = { ...storeKept(kept), files: { [key]: damage }, tests: { [key]: damage } }
      expect([...parseKept(damaged).files, ...parseKept(damage).tests]).toEqual([])
    }),
  )
})
