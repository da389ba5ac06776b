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

/** The transformers.js task for a name or alias: `sentiment-analysis` is an alias of `text-classification`. */
export function canonicalTask(task: string): string {
  // In a name such as `translation_en_to_fr`, the text before the first underscore is the task.
  return ALIASES.get(task) ?? task.split('_', 1)[0] ?? task
}
