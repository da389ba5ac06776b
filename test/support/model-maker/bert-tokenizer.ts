import type { FileContent } from './model-folder.ts'

export const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz0123456789']

const DEFAULT_WORDS = 'the a is of and in to cat dog sat on mat model cache test hello world one two three'.split(' ')

const ROLES = { pad_token: '[PAD]', unk_token: '[UNK]', cls_token: '[CLS]', sep_token: '[SEP]', mask_token: '[MASK]' }

/** Special tokens, then each letter and digit alone and as a continuation (so that no plain word is unknown), then words. */
export function bertVocabulary(words: readonly string[] = DEFAULT_WORDS): string[] {
  const pieces = [...LETTERS, ...LETTERS.map((letter) => `##${letter}`), '.', ',', '!', '?']
  return [...new Set([...SPECIAL_TOKENS, ...pieces, ...words.map((word) => word.toLowerCase())])]
}

/** The tokenizer files of an uncased BERT, as `BertTokenizerFast.save_pretrained` lays them out. */
export function bertTokenizerFiles(vocabulary: readonly string[], maxLength: number): Record<string, FileContent> {
  return {
    'special_tokens_map.json': { json: ROLES },
    'tokenizer.json': { json: bertTokenizer(vocabulary) },
    'tokenizer_config.json': {
      json: { ...ROLES, do_lower_case: true, model_max_length: maxLength, tokenizer_class: 'BertTokenizer' },
    },
    'vocab.txt': `${vocabulary.join('\n')}\n`,
  }
}

function bertTokenizer(vocabulary: readonly string[]): object {
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
  const idOf = (token: string) => ({ id: token, ids: [vocabulary.indexOf(token)], tokens: [token] })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content) => ({
      id: vocabulary.indexOf(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [special('[CLS]'), { Sequence: { id: 'A', type_id: 0 } }, special('[SEP]')],
      pair: [
        special('[CLS]'),
        { Sequence: { id: 'A', type_id: 0 } },
        special('[SEP]'),
        { Sequence: { id: 'B', type_id: 1 } },
        { SpecialToken: { id: '[SEP]', type_id: 1 } },
      ],
      special_tokens: { '[CLS]': idOf('[CLS]'), '[SEP]': idOf('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
  }
}
