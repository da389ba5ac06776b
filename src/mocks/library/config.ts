import { DIMENSION } from '../tensor.ts'
import { construct, type Library } from './library.ts'
import { VOCABULARY } from './tokenizer.ts'

const LABELS = ['POSITIVE', 'NEGATIVE']

/** A config of the library's own class. Fields of the option `config` replace ours. */
export function mockConfig(library: Library, model: string, options: object): object {
  return construct(library, 'PretrainedConfig', {
    ...{ model_type: 'mock', _name_or_path: model, hidden_size: DIMENSION, vocab_size: VOCABULARY },
    max_position_embeddings: 512,
    id2label: Object.fromEntries(LABELS.map((label, id) => [id, label])),
    label2id: Object.fromEntries(LABELS.map((label, id) => [label, id])),
    ...Object(Reflect.get(options, 'config')),
  })
}
