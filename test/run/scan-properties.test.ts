import { expect, test } from 'vitest'
import { isFacts } from '../../src/run/start/scan/facts.ts'
import { glanceAt } from '../../src/run/start/scan/glance.ts'
import { namedModels } from '../../src/run/start/scan/named-models.ts'
import { parseFacts } from '../../src/run/start/scan/parse-facts.ts'
import fc from '../support/property.ts'

/** What a file names that imports nothing. */
function namedIn(text: string) {
  const facts = parseFacts(text, 'a.test.ts')
  if (!facts) throw new Error(`Not parsed: ${text}`)
  const sources = new Map([['a.test.ts', { facts, targets: {} }]])
  const asked = { testFiles: ['a.test.ts'], setupFiles: [], sources, isWhole: true, bases: [] }
  return namedModels(asked).get('a.test.ts')
}

/** Ways to write a text, each with the statements that it needs. `n` makes names that no other step has. */
const WAYS: ((value: string, n: number) => [statements: string, value: string])[] = [
  (value, n) => [`const a${n} = ${value}`, `a${n}`],
  (value, n) => [`const b${n} = { x: { y: ${value} }, z: 'org/other' } as const`, `b${n}.x['y']`],
  (value, n) => [`const [, c${n}] = ['org/other', ${value}]`, `c${n}`],
  (value, n) => [`const { d: d${n} = 'org/other' } = { d: ${value} }`, `d${n}`],
  (value, n) => [`let e${n}: string; e${n} = ${value}`, `e${n}!`],
  (value) => ['', `\`\${${value}}\``],
  (value) => ['', `('' + ${value})`],
  (value) => ['', `(${value} satisfies string)`],
  (value) => ['', `(${value} ?? 'org/other')`],
  (value, n) => [`function f${n}(x: string) { return models.file(x, 'a') }; f${n}(${value})`, value],
  (value, n) => [`enum G${n} { A = ${value} }`, `G${n}.A`],
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
      const named = namedIn(text)
      expect(
        named?.models.map(({ repo }) => repo),
        text,
      ).toEqual(['org/name'])
      expect(glanceAt(text).isWhole).toBe(false)
    }),
  )
})

test('no text breaks the reader, and facts are the same after they were kept', () => {
  const source = `
    import { pipeline as p } from '@huggingface/transformers'; import * as x from './x'; export * from './y'
    const { a: { b = 'org/b' } = {}, ...rest } = await import('./z'); export const c = { ...rest, [a]: \`org/\${b}\` }
    class D extends E { static f = 'org/f'; #g = (h, ...i) => p('feature-extraction', h ?? this.f, { dtype: i[0] }) }
    describe.each([{ j: 1 }, 'org/k'])('l', ({ j }) => test.skipIf(j)('m', async () => { for (const n of [1]) await D.from_pretrained(n) }))
  `
  const cut = fc.tuple(fc.nat(source.length), fc.nat(20), fc.string({ maxLength: 8 }))
  const texts = fc.oneof(
    fc.string(),
    fc.array(cut, { minLength: 1, maxLength: 4 }).map((cuts) => {
      let text = source
      for (const [at, length, other] of cuts) text = text.slice(0, at) + other + text.slice(at + length)
      return text
    }),
  )
  fc.assert(
    fc.property(texts, fc.constantFrom('a.ts', 'a.tsx', 'a.js'), (text, path) => {
      const facts = parseFacts(text, path) ?? glanceAt(text)
      const kept: unknown = JSON.parse(JSON.stringify(facts))
      expect(kept).toEqual(facts)
      expect(isFacts(kept)).toBe(true)
      const sources = new Map([[path, { facts, targets: { './x': path, './y': path } }]])
      namedModels({ testFiles: [path], setupFiles: [], sources, isWhole: true, bases: [] })
    }),
  )
})
