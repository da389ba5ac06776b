import type { FeatureExtractionPipeline } from '@huggingface/transformers'

export interface Match {
  document: string
  /** The cosine of the angle between its vector and that of the query: 1 for the same text. */
  similarity: number
}

/** Ranks documents by what they mean: those most similar to the query come first. */
export async function search(embed: FeatureExtractionPipeline, query: string, documents: string[]): Promise<Match[]> {
  const target = await vectorOf(embed, query)
  const matches = documents.map(async (document) => ({
    document,
    similarity: similarity(target, await vectorOf(embed, document)),
  }))
  return (await Promise.all(matches)).sort((a, b) => b.similarity - a.similarity)
}

/** The meaning of a text as a vector of length 1. */
export async function vectorOf(embed: FeatureExtractionPipeline, text: string): Promise<number[]> {
  const vectors = await embed(text, { pooling: 'mean', normalize: true })
  return vectors.tolist()[0]
}

/** The cosine of the angle between two vectors of length 1. */
export function similarity(a: number[], b: number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
}
