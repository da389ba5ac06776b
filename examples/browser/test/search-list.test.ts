import { expect, test } from 'vitest'
import { showMatches } from '../src/search-list.ts'

const DOCUMENTS = ['How to bake bread', 'Repairing a bicycle tyre', 'Stars and planets', 'Growing tomatoes']

function shown(list: HTMLElement): (string | null)[] {
  return [...list.children].map((item) => item.textContent)
}

test('shows the document first that is equal to the query', async () => {
  const list = document.createElement('ol')
  await showMatches(list, 'Stars and planets', DOCUMENTS)
  expect(shown(list)[0]).toBe('Stars and planets')
})

test('shows every document once, also when it is asked again', async () => {
  const list = document.createElement('ol')
  await showMatches(list, 'a recipe for pizza dough', DOCUMENTS)
  await showMatches(list, 'the night sky', DOCUMENTS)
  expect(shown(list).sort()).toEqual([...DOCUMENTS].sort())
})
