import { construct, type Library } from './library.ts'

// Each byte of a text is a token. So every text can be decoded again, and no vocabulary file is needed.
const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const FIRST_BYTE = SPECIAL.length
export const VOCABULARY = FIRST_BYTE + 256
export const PAD_TOKEN = SPECIAL.indexOf('[PAD]')
export const END_TOKEN = SPECIAL.indexOf('[SEP]')

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"

/** A tokenizer of the library itself, with a vocabulary of bytes. */
export function mockTokenizer(library: Library, name: string): object {
  const isBase = name.startsWith('Auto')
  return construct(library, isBase ? 'PreTrainedTokenizer' : name, tokenizerJson(), tokenizerConfig())
}

/** The tokens of a text, without special ones. */
export function tokensOf(text: string): number[] {
  return [...Buffer.from(text, 'utf8')].map((byte) => byte + FIRST_BYTE)
}

/** The text of tokens. Special tokens are left out. */
export function textOf(tokens: number[]): string {
  return Buffer.from(tokens.filter((token) => token >= FIRST_BYTE).map((token) => token - FIRST_BYTE)).toString('utf8')
}

function tokenizerJson() {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
  const sequence = (id: string, type_id = 0) => ({ Sequence: { id, type_id } })
  const ids = (token: string) => ({ id: token, ids: [SPECIAL.indexOf(token)], tokens: [token] })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({
      ...{ id, content, special: true },
      ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: {
      type: 'TemplateProcessing',
      single: [special('[CLS]'), sequence('A'), special('[SEP]')],
      pair: [special('[CLS]'), sequence('A'), special('[SEP]'), sequence('B', 1), special('[SEP]')],
      special_tokens: { '[CLS]': ids('[CLS]'), '[SEP]': ids('[SEP]') },
    },
    decoder: byteLevel,
    model: {
      type: 'BPE',
      unk_token: '[UNK]',
      ...{ dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false },
      vocab: Object.fromEntries([...SPECIAL, ...byteCharacters()].map((token, id) => [token, id])),
      merges: [],
    },
  }
}

function tokenizerConfig() {
  return {
    ...{ pad_token: '[PAD]', unk_token: '[UNK]', cls_token: '[CLS]', sep_token: '[SEP]', mask_token: '[MASK]' },
    ...{ bos_token: '[CLS]', eos_token: '[SEP]', model_max_length: 512, clean_up_tokenization_spaces: false },
    chat_template: CHAT_TEMPLATE,
  }
}

/** The character by which a byte-level tokenizer writes each byte, as GPT-2's `bytes_to_unicode` has it. */
function byteCharacters(): string[] {
  const isShown = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isShown(byte) ? byte : next++))
}
