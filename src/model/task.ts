// transformers.js 4.3.1, src/pipelines/index.js: TASK_ALIASES.
const ALIASES = new Map(
  Object.entries({
    'sentiment-analysis': 'text-classification',
    ner: 'token-classification',
    asr: 'automatic-speech-recognition',
    'text-to-speech': 'text-to-audio',
    embeddings: 'feature-extraction',
  }),
)

/** The task that transformers.js means by a name: `sentiment-analysis` is `text-classification`. */
export function canonicalTask(task: string): string {
  // `translation_en_to_fr`: what stands before the first underscore is the task.
  return ALIASES.get(task) ?? task.split('_', 1)[0] ?? task
}
