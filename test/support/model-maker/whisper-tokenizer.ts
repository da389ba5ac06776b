import type { FileContent } from './model-folder.ts'

// 30 seconds in steps of 20 ms: https://github.com/openai/whisper/blob/v20240930/whisper/tokenizer.py (get_encoding)
const TIMESTAMPS = Array.from({ length: 1501 }, (_, step) => `<|${(step * 0.02).toFixed(2)}|>`)

/** Token ids by their meaning. */
export interface WhisperTokens {
  readonly all: readonly string[]
  readonly endOfText: number
  readonly startOfTranscript: number
  readonly noTimestamps: number
  idOf(token: string): number
}

const END_OF_TEXT = '<|endoftext|>'
const SPECIAL_TOKENS = [END_OF_TEXT, '<|startoftranscript|>', '<|startofprev|>', '<|nospeech|>', '<|notimestamps|>']

/** The bytes, then the words, then the special tokens, and timestamps last: the order of an English-only Whisper. */
export function whisperTokens(words: readonly string[]): WhisperTokens {
  const all = [...byteTokens(), ...new Set(words.map(wordToken)), ...SPECIAL_TOKENS, ...TIMESTAMPS]
  const ids = new Map(all.map((token, id) => [token, id]))
  const idOf = (token: string): number => {
    const id = ids.get(token)
    if (id === undefined) throw new RangeError(`No token ${token}`)
    return id
  }
  return {
    all,
    idOf,
    endOfText: idOf(END_OF_TEXT),
    startOfTranscript: idOf('<|startoftranscript|>'),
    noTimestamps: idOf('<|notimestamps|>'),
  }
}

/** The token of a word with its leading space, which byte-level BPE writes as Ġ. */
export function wordToken(word: string): string {
  return `Ġ${word}`
}

export function whisperTokenizerFiles(tokens: WhisperTokens, maxLength: number): Record<string, FileContent> {
  const roles = { bos_token: END_OF_TEXT, eos_token: END_OF_TEXT, pad_token: END_OF_TEXT, unk_token: END_OF_TEXT }
  const added = tokens.all.slice(tokens.endOfText).map((content, i) => addedToken(tokens.endOfText + i, content))
  return {
    'added_tokens.json': { json: Object.fromEntries(added.map(({ id, content }) => [content, id])) },
    'special_tokens_map.json': { json: { ...roles, additional_special_tokens: SPECIAL_TOKENS } },
    'tokenizer.json': { json: byteLevelTokenizer(tokens, added) },
    'tokenizer_config.json': {
      json: {
        ...roles,
        add_prefix_space: false,
        additional_special_tokens: SPECIAL_TOKENS,
        model_max_length: maxLength,
        processor_class: 'WhisperProcessor',
        tokenizer_class: 'WhisperTokenizer',
      },
    },
    'vocab.json': { json: vocabOf(tokens) },
    // Each word is already one token, so there are no merges.
    'merges.txt': '#version: 0.2\n',
  }
}

// Timestamps are added tokens but not special ones: `_decode_asr` of transformers.js drops special tokens before it reads them.
function addedToken(id: number, content: string) {
  const special = SPECIAL_TOKENS.includes(content)
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }
}

function byteLevelTokenizer(tokens: WhisperTokens, added: readonly object[]): object {
  const special = (token: string) => ({ SpecialToken: { id: token, type_id: 0 } })
  const prefix = ['<|startoftranscript|>', '<|notimestamps|>']
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [...prefix.map(special), { Sequence: { id: 'A', type_id: 0 } }, special(END_OF_TEXT)],
      pair: [
        ...prefix.map(special),
        { Sequence: { id: 'A', type_id: 0 } },
        { Sequence: { id: 'B', type_id: 1 } },
        special(END_OF_TEXT),
      ],
      special_tokens: Object.fromEntries(
        [...prefix, END_OF_TEXT].map((token) => [token, { id: token, ids: [tokens.idOf(token)], tokens: [token] }]),
      ),
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      // Words of the vocabulary become one token, without merges.
      ignore_merges: true,
      vocab: vocabOf(tokens),
      merges: [],
    },
  }
}

function vocabOf(tokens: WhisperTokens): Record<string, number> {
  return Object.fromEntries(tokens.all.slice(0, tokens.endOfText + 1).map((token, id) => [token, id]))
}

/**
 * The 256 bytes as byte-level BPE writes them: a printable byte as itself, any other as a character from U+0100 on.
 * https://github.com/openai/gpt-2/blob/master/src/encoder.py (bytes_to_unicode)
 */
function byteTokens(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let replaced = 0
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : 0x100 + replaced++))
}
