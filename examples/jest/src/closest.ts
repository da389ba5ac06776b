import { pipeline } from '@huggingface/transformers'

/** The document that means most nearly the same as the question. */
export async function closest(question: string, documents: string[]): Promise<string | undefined> {
  const embed = await pipeline('feature-extraction', 'Xenova/all-MiniLM-L6-v2')
  const vectors = await embed([question, ...documents], { pooling: 'mean', normalize: true })
  const [target, ...others]: number[][] = vectors.tolist()
  const similarities = others.map((vector) =>
    vector.reduce((sum, value, index) => sum + value * (target?.[index] ?? 0), 0),
  )
  return documents[similarities.indexOf(Math.max(...similarities))]
}
