// Code for a page as it would be written anyway: nothing in it knows of the cache.
import { type FeatureExtractionPipeline, pipeline } from '@huggingface/transformers'

export const MODEL = 'Xenova/all-MiniLM-L6-v2'

/** Fills a list with documents, those first that mean most nearly what the query does. */
export async function showMatches(list: HTMLElement, query: string, documents: string[]): Promise<void> {
  const embed = await pipeline('feature-extraction', MODEL)
  const target = await vectorOf(embed, query)
  const matches: { document: string; similarity: number }[] = []
  for (const document of documents)
    matches.push({ document, similarity: similarity(target, await vectorOf(embed, document)) })
  matches.sort((a, b) => b.similarity - a.similarity)
  list.replaceChildren(...matches.map(({ document }) => listItem(document)))
}

function listItem(text: string): HTMLElement {
  const item = document.createElement('li')
  item.textContent = text
  return item
}

async function vectorOf(embed: FeatureExtractionPipeline, text: string): Promise<number[]> {
  const vectors = await embed(text, { pooling: 'mean', normalize: true })
  return vectors.tolist()[0]
}

function similarity(a: number[], b: number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
}
