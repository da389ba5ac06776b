import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { env, ModelRegistry, type PipelineType, pipeline } from '@huggingface/transformers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isTransformersRepo, transformersFiles } from '../../../src/cache/selection/transformers-files.ts'
import type { RepoConfig } from '../../../src/cache/selection/transformers-sessions.ts'
import { ModelCacheError } from '../../../src/model/errors.ts'
import { parseHubPath } from '../../../src/model/hub-path.ts'
import { parseModel } from '../../../src/model/model.ts'
import type { Dtype, DtypeChoice, Selection } from '../../../src/model/selection.ts'
import type { Tree } from '../../../src/model/tree.ts'
import { type Hub, type LoggedRequest, startHub } from '../../support/hub/index.ts'
import { makeEmbeddingModel, makeSileroVad, makeWhisperModel } from '../../support/model-maker/index.ts'
import { removeFolder } from '../../support/remove-folder.ts'

let root: string
let hub: Hub

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'transformers files '))
  hub = await startHub()
  env.remoteHost = hub.url
})
afterAll(async () => {
  await hub.close()
  await removeFolder(root)
})

function temporaryFolder(): Promise<string> {
  return mkdtemp(join(root, 'model-'))
}

function treeOf(paths: readonly string[]): Tree {
  return new Map(
    paths.map((path) => [parseHubPath(path, 'a test'), { size: 1, digest: `sha1:${'0'.repeat(40)}`, gitId: '' }]),
  )
}

function planned(paths: readonly string[], config: RepoConfig, selection: Selection & { task: string }) {
  return transformersFiles(treeOf(paths), config, selection, 'Model org/name').map(String).sort()
}

async function configIn(directory: string): Promise<RepoConfig> {
  return JSON.parse(await readFile(join(directory, 'config.json'), 'utf8'))
}

/** The paths of ONNX files with these base names, in fp32 and q8. */
function onnx(...names: string[]): string[] {
  return names.flatMap((name) => [`onnx/${name}.onnx`, `onnx/${name}_quantized.onnx`])
}

const TEXT = [
  'config.json',
  'README.md',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.txt',
]
const SENSE = ['config.json', 'README.md', 'preprocessor_config.json', 'quantize_config.json']
const BOTH = [...TEXT, 'preprocessor_config.json', 'quantize_config.json']
const GENERATES = ['generation_config.json']
// Optimum exports a merged decoder, and the two decoders that it was merged from.
const DECODERS = ['decoder_model_merged', 'decoder_model', 'decoder_with_past_model']

interface Kind {
  name: string
  task: PipelineType
  config: RepoConfig
  paths: string[]
}

const KINDS: Kind[] = [
  {
    name: 'bert, embeddings',
    task: 'feature-extraction',
    config: { model_type: 'bert', architectures: ['BertModel'] },
    paths: [...TEXT, ...onnx('model')],
  },
  {
    name: 'bert, fill-mask',
    task: 'fill-mask',
    config: { model_type: 'bert', architectures: ['BertForMaskedLM'] },
    paths: [...TEXT, ...onnx('model')],
  },
  {
    name: 'distilbert, classification by an alias',
    task: 'sentiment-analysis',
    config: { model_type: 'distilbert', architectures: ['DistilBertForSequenceClassification'] },
    paths: [...TEXT, ...onnx('model')],
  },
  {
    name: 'bert with a processor that no text task loads',
    task: 'token-classification',
    config: { model_type: 'bert', architectures: ['BertForTokenClassification'] },
    paths: [...BOTH, ...onnx('model')],
  },
  {
    name: 't5',
    task: 'text2text-generation',
    config: { model_type: 't5', architectures: ['T5ForConditionalGeneration'], is_encoder_decoder: true },
    paths: [...TEXT, ...GENERATES, ...onnx('encoder_model', ...DECODERS)],
  },
  {
    name: 'marian without a generation config',
    task: 'translation',
    config: { model_type: 'marian', architectures: ['MarianMTModel'], is_encoder_decoder: true },
    paths: [...TEXT, ...onnx('encoder_model', ...DECODERS)],
  },
  {
    name: 'bart, summaries',
    task: 'summarization',
    config: { model_type: 'bart', architectures: ['BartForConditionalGeneration'], is_encoder_decoder: true },
    paths: [...TEXT, ...GENERATES, ...onnx('encoder_model', ...DECODERS)],
  },
  {
    name: 'bart, zero-shot classification',
    task: 'zero-shot-classification',
    config: { model_type: 'bart', architectures: ['BartForSequenceClassification'], is_encoder_decoder: true },
    paths: [...TEXT, ...onnx('model')],
  },
  {
    name: 'bart, zero-shot classification, exported in parts too',
    task: 'zero-shot-classification',
    config: { model_type: 'bart', architectures: ['BartForSequenceClassification'], is_encoder_decoder: true },
    paths: [...TEXT, ...onnx('model', 'encoder_model', ...DECODERS)],
  },
  {
    name: 'bert with a generation config that no embedding reads',
    task: 'feature-extraction',
    config: { model_type: 'bert', architectures: ['BertModel'] },
    paths: [...TEXT, ...GENERATES, ...onnx('model')],
  },
  {
    name: 'bert of no known architecture',
    task: 'text-classification',
    config: { model_type: 'bert', architectures: null },
    paths: [...TEXT, ...onnx('model')],
  },
  {
    name: 'phi3_v, which reads no text without its other parts',
    task: 'text-generation',
    config: { model_type: 'phi3_v', architectures: ['Phi3VForCausalLM'] },
    paths: [...BOTH, ...GENERATES, ...onnx('prepare_inputs_embeds', 'model', 'vision_encoder')],
  },
  {
    name: 'llama with external data by session',
    task: 'text-generation',
    config: {
      model_type: 'llama',
      architectures: ['LlamaForCausalLM'],
      'transformers.js_config': { use_external_data_format: { model: 2 } },
    },
    paths: [
      ...[...TEXT, ...GENERATES, ...onnx('model'), 'onnx/model.onnx_data', 'onnx/model.onnx_data_1'],
      ...['onnx/model_quantized.onnx_data', 'onnx/model_quantized.onnx_data_1', 'onnx/model_quantized.onnx_data_2'],
    ],
  },
  {
    name: 'vit with a generation config',
    task: 'image-classification',
    config: { model_type: 'vit', architectures: ['ViTForImageClassification'] },
    paths: [...SENSE, ...GENERATES, ...onnx('model')],
  },
  {
    name: 'whisper',
    task: 'automatic-speech-recognition',
    config: { model_type: 'whisper', architectures: ['WhisperForConditionalGeneration'], is_encoder_decoder: true },
    paths: [...BOTH, ...GENERATES, 'normalizer.json', ...onnx('encoder_model', ...DECODERS)],
  },
  {
    name: 'moonshine',
    task: 'automatic-speech-recognition',
    config: { model_type: 'moonshine', architectures: ['MoonshineForConditionalGeneration'], is_encoder_decoder: true },
    paths: [...BOTH, ...GENERATES, ...onnx('encoder_model', ...DECODERS)],
  },
  {
    name: 'gpt2, exported as of old too',
    task: 'text-generation',
    config: { model_type: 'gpt2', architectures: ['GPT2LMHeadModel'] },
    paths: [...TEXT, ...GENERATES, ...onnx('model', ...DECODERS)],
  },
  {
    name: 'llama',
    task: 'text-generation',
    config: { model_type: 'llama', architectures: ['LlamaForCausalLM'] },
    paths: [...TEXT, ...GENERATES, ...onnx('model')],
  },
  {
    name: 'llama with external data in chunks, by file',
    task: 'text-generation',
    config: {
      model_type: 'llama',
      architectures: ['LlamaForCausalLM'],
      'transformers.js_config': { use_external_data_format: { 'model.onnx': 3, 'model_quantized.onnx': 1 } },
    },
    paths: [
      ...[...TEXT, ...GENERATES, ...onnx('model')],
      ...['onnx/model.onnx_data', 'onnx/model.onnx_data_1', 'onnx/model.onnx_data_2', 'onnx/model.onnx_data_3'],
      'onnx/model_quantized.onnx_data',
    ],
  },
  {
    name: 'clip, zero-shot',
    task: 'zero-shot-image-classification',
    config: { model_type: 'clip', architectures: ['CLIPModel'], vision_config: {}, text_config: {} },
    paths: [...BOTH, ...onnx('model', 'text_model', 'vision_model')],
  },
  {
    name: 'clap, zero-shot',
    task: 'zero-shot-audio-classification',
    config: { model_type: 'clap', architectures: ['ClapModel'], audio_config: {}, text_config: {} },
    paths: [...BOTH, ...onnx('model', 'text_model', 'audio_model')],
  },
  {
    name: 'vit, classification',
    task: 'image-classification',
    config: { model_type: 'vit', architectures: ['ViTForImageClassification'] },
    paths: [...SENSE, ...onnx('model')],
  },
  {
    name: 'vit, features, with a tokenizer that no image task loads',
    task: 'image-feature-extraction',
    config: { model_type: 'vit', architectures: ['ViTModel'] },
    paths: [...BOTH, ...onnx('model')],
  },
  {
    name: 'depth_anything',
    task: 'depth-estimation',
    config: { model_type: 'depth_anything', architectures: ['DepthAnythingForDepthEstimation'] },
    paths: [...BOTH, ...onnx('model')],
  },
  {
    name: 'swin2sr',
    task: 'image-to-image',
    config: { model_type: 'swin2sr', architectures: ['Swin2SRForImageSuperResolution'] },
    paths: [...BOTH, ...onnx('model')],
  },
  {
    name: 'segformer, background',
    task: 'background-removal',
    config: { model_type: 'segformer', architectures: ['SegformerForSemanticSegmentation'] },
    paths: [...BOTH, ...onnx('model')],
  },
  {
    name: 'detr',
    task: 'object-detection',
    config: { model_type: 'detr', architectures: ['DetrForObjectDetection'], is_encoder_decoder: true },
    paths: [...SENSE, ...onnx('model')],
  },
  {
    name: 'owlvit',
    task: 'zero-shot-object-detection',
    config: { model_type: 'owlvit', architectures: ['OwlViTForObjectDetection'], vision_config: {}, text_config: {} },
    paths: [...BOTH, ...onnx('model')],
  },
  {
    name: 'wav2vec2, CTC',
    task: 'automatic-speech-recognition',
    config: { model_type: 'wav2vec2', architectures: ['Wav2Vec2ForCTC'] },
    paths: [...BOTH, ...onnx('model')],
  },
  {
    name: 'wav2vec2, audio classification',
    task: 'audio-classification',
    config: { model_type: 'wav2vec2', architectures: ['Wav2Vec2ForSequenceClassification'] },
    paths: [...BOTH, ...onnx('model')],
  },
  {
    name: 'vits',
    task: 'text-to-speech',
    config: { model_type: 'vits', architectures: ['VitsModel'] },
    paths: [...TEXT, ...onnx('model')],
  },
  {
    name: 'musicgen',
    task: 'text-to-audio',
    config: {
      model_type: 'musicgen',
      architectures: ['MusicgenForConditionalGeneration'],
      is_encoder_decoder: true,
      decoder: { model_type: 'musicgen_decoder', num_hidden_layers: 1, num_attention_heads: 1, hidden_size: 1 },
    },
    paths: [...BOTH, ...GENERATES, ...onnx('text_encoder', 'encodec_decode', 'build_delay_pattern_mask', ...DECODERS)],
  },
  {
    name: 'vision-encoder-decoder',
    task: 'image-to-text',
    config: {
      model_type: 'vision-encoder-decoder',
      architectures: ['VisionEncoderDecoderModel'],
      is_encoder_decoder: true,
      encoder: { model_type: 'vit' },
      decoder: { model_type: 'gpt2', n_layer: 1, n_head: 1, n_embd: 1 },
    },
    paths: [...BOTH, ...GENERATES, ...onnx('encoder_model', ...DECODERS)],
  },
  {
    name: 'qwen2-vl, text alone',
    task: 'text-generation',
    config: { model_type: 'qwen2_vl', architectures: ['Qwen2VLForConditionalGeneration'], vision_config: {} },
    paths: [
      ...BOTH,
      ...GENERATES,
      'chat_template.json',
      ...onnx('embed_tokens', 'vision_encoder', 'decoder_model_merged'),
    ],
  },
]

/** Tasks of many repos that have no pipeline in 4.3.1. `AutoModel` and `AutoProcessor` load the same files. */
const WITHOUT_PIPELINE: { name: string; task: string; config: RepoConfig; paths: string[] }[] = [
  {
    name: 'sam',
    task: 'mask-generation',
    config: { model_type: 'sam', architectures: ['SamModel'], vision_config: {} },
    paths: [...SENSE, ...GENERATES, ...onnx('vision_encoder', 'prompt_encoder_mask_decoder')],
  },
  {
    name: 'llava',
    task: 'image-text-to-text',
    config: {
      model_type: 'llava',
      architectures: ['LlavaForConditionalGeneration'],
      text_config: { model_type: 'llama', num_hidden_layers: 1, num_attention_heads: 1, hidden_size: 1 },
      vision_config: { model_type: 'clip_vision_model' },
    },
    paths: [...BOTH, ...GENERATES, ...onnx('embed_tokens', 'vision_encoder', 'decoder_model_merged')],
  },
  {
    name: 'florence2',
    task: 'image-text-to-text',
    config: {
      model_type: 'florence2',
      architectures: ['Florence2ForConditionalGeneration'],
      is_encoder_decoder: true,
      text_config: { model_type: 'florence2_language', decoder_layers: 1, decoder_attention_heads: 1, d_model: 1 },
      vision_config: {},
    },
    paths: [...BOTH, ...GENERATES, ...onnx('embed_tokens', 'vision_encoder', 'encoder_model', ...DECODERS)],
  },
  {
    name: 'gemma3n',
    task: 'any-to-any',
    config: {
      model_type: 'gemma3n',
      architectures: ['Gemma3nForConditionalGeneration'],
      text_config: { model_type: 'gemma3n_text', num_hidden_layers: 1, num_attention_heads: 1, num_key_value_heads: 1 },
      vision_config: {},
      audio_config: {},
    },
    paths: [...BOTH, ...GENERATES, ...onnx('embed_tokens', 'vision_encoder', 'audio_encoder', 'decoder_model_merged')],
  },
  {
    name: 'ultravox',
    task: 'audio-text-to-text',
    config: {
      model_type: 'ultravox',
      architectures: ['UltravoxModel'],
      text_config: { model_type: 'llama', num_hidden_layers: 1, num_attention_heads: 1, hidden_size: 1 },
      audio_config: {},
    },
    paths: [...BOTH, ...GENERATES, ...onnx('embed_tokens', 'audio_encoder', 'decoder_model_merged')],
  },
]

async function writeRepo(config: object, paths: string[]): Promise<string> {
  const directory = await temporaryFolder()
  for (const path of paths) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), path === 'config.json' ? JSON.stringify(config) : '{}')
  }
  return directory
}

describe('the plan has the files that the ModelRegistry of transformers.js 4.3.1 names', () => {
  test('a config may name each task of transformers.js', async () => {
    const names = await pipeline('nothing' as PipelineType).then(() => '', String)
    const tasks = /Must be one of \[(.*)\]/.exec(names)?.[1]?.split(',') ?? []
    expect(tasks.length).toBeGreaterThan(20)
    for (const task of [...tasks, ...WITHOUT_PIPELINE.map(({ task }) => task)])
      expect(parseModel({ repo: 'org/name', task }).selection.task).toBe(task)
  })

  const cases = KINDS.flatMap((kind) => (['fp32', 'q8'] as const).map((dtype) => ({ ...kind, dtype })))

  test.each(cases)('$name ($task, $dtype)', async ({ task, config, paths, dtype }) => {
    const said = await ModelRegistry.get_pipeline_files(task, await writeRepo(config, paths), { dtype })
    expect(planned(paths, config, { task, dtype })).toEqual(existing(said, paths))
  })

  test.each(WITHOUT_PIPELINE)('$name ($task)', async ({ task, config, paths }) => {
    const said = await ModelRegistry.get_files(await writeRepo(config, paths), { dtype: 'q8' })
    expect(planned(paths, config, { task, dtype: 'q8' })).toEqual(existing(said, paths))
  })

  test.each<[string, string]>([
    ['bert, embeddings', 'text_model'],
    ['llama', 'text_model'],
    ['t5', 'text_model'],
    ['bart, summaries', 'model'],
    ['qwen2-vl, text alone', 'text_model'],
    ['musicgen', 'text_model'],
  ])('%s with the file named %s', async (name, modelFileName) => {
    const kind = KINDS.find((kind) => kind.name === name)
    if (!kind) throw new Error(`There is no ${name}`)
    const paths = [...new Set([...kind.paths, ...onnx('text_model')])]
    const options = { dtype: 'q8', model_file_name: modelFileName } as const
    const said = await ModelRegistry.get_pipeline_files(kind.task, await writeRepo(kind.config, paths), options)
    expect(planned(paths, kind.config, { task: kind.task, dtype: 'q8', modelFileName })).toEqual(existing(said, paths))
  })

  test.each<[Dtype | undefined, boolean]>([
    ['fp32', false],
    [undefined, false],
    ['q8', false],
    ['fp32', true],
    ['q8', true],
  ])('generated embeddings (%s, external data: %s)', async (dtype, externalData) => {
    const made = await makeEmbeddingModel(await temporaryFolder(), { dtypes: ['fp32', 'q8'], externalData })
    const said = await ModelRegistry.get_pipeline_files('feature-extraction', made.directory, { dtype })
    const plan = planned(made.files, await configIn(made.directory), { task: 'feature-extraction', dtype })
    expect(plan).toEqual(existing(said, made.files))
    expect(plan.filter((path) => path.endsWith('_data'))).toHaveLength(externalData ? 1 : 0)
  })

  test('generated whisper and voice activity models', async () => {
    const whisper = await makeWhisperModel(await temporaryFolder())
    const task = 'automatic-speech-recognition'
    const said = await ModelRegistry.get_pipeline_files(task, whisper.directory, { dtype: 'fp32' })
    expect(planned(whisper.files, await configIn(whisper.directory), { task })).toEqual(existing(said, whisper.files))
    const vad = await makeSileroVad(await temporaryFolder())
    const saidOfVad = await ModelRegistry.get_files(vad.directory, { dtype: 'fp32' })
    const plan = planned(vad.files, await configIn(vad.directory), { task: 'voice-activity-detection' })
    expect(plan).toEqual(existing(saidOfVad, vad.files))
  })

  test('and also the files that the processor of a multimodal model reads', () => {
    const { config, paths } = { config: { model_type: 'whisper', is_encoder_decoder: true }, paths: [...BOTH] }
    const more = [...paths, 'processor_config.json', 'chat_template.jinja', ...onnx('encoder_model', ...DECODERS)]
    const asr = planned(more, config, { task: 'automatic-speech-recognition' })
    expect(asr).toEqual(expect.arrayContaining(['processor_config.json', 'chat_template.jinja']))
    const text = planned(more, config, { task: 'text2text-generation' })
    expect(text).not.toEqual(expect.arrayContaining(['processor_config.json']))
  })
})

describe('the plan has the files that a pipeline of transformers.js with an empty cache asks the Hub for', () => {
  const ASR = 'automatic-speech-recognition'

  test.each<DtypeChoice | undefined>([undefined, 'fp32', 'q8', 'auto', { model: 'q8' }, { other: 'q8' }])(
    'embeddings in %j',
    async (dtype) => {
      const made = await makeEmbeddingModel(await temporaryFolder(), { dtypes: ['fp32', 'q8'], externalData: true })
      await expectPlanned(made.directory, 'feature-extraction', dtype)
    },
  )

  test.each<[string, object | null, Dtype | undefined]>([
    ['no settings', null, undefined],
    ['settings of null', { dtype: null, use_external_data_format: null, device_config: null, device: null }, 'q8'],
    ['settings of null, and no dtype', { dtype: null, device_config: { cpu: null } }, undefined],
    ['a dtype named as a field of every object', { dtype: 'constructor' }, undefined],
    ['a dtype for a field of every object', { dtype: { constructor: 'q8', toString: 'q8' } }, undefined],
    ['a dtype of null for the file', { dtype: { model: null } }, undefined],
    ['`auto` over an unknown dtype', { dtype: 'toString' }, 'auto'],
    ['the dtype of the device', { dtype: 'fp32', device_config: { cpu: { dtype: 'q8' } } }, undefined],
    ['`auto`, which is the dtype of the device', { device_config: { cpu: { dtype: 'q8' } } }, 'auto'],
    ['the dtype of another device', { dtype: 'fp32', device_config: { wasm: { dtype: 'q8' } } }, undefined],
    ['external data of the device', { device_config: { cpu: { use_external_data_format: true } } }, 'fp32'],
    ['the dtype of the repo', { dtype: 'q8' }, undefined],
    ['the dtype of the repo by file', { dtype: { model: 'q8' } }, undefined],
    ['`auto`, which is the dtype of the repo', { dtype: 'q8' }, 'auto'],
    ['a dtype before that of the repo', { dtype: 'q8' }, 'fp32'],
    ['external data by file', { use_external_data_format: { 'model_quantized.onnx': true } }, 'q8'],
    ['external data of another file', { use_external_data_format: { 'model.onnx': true } }, 'q8'],
  ])('embeddings in %s', async (_, ours, dtype) => {
    const text = JSON.stringify(ours)
    const externalData = text.includes('model_quantized') || text.includes('"use_external_data_format":true')
    const made = await makeEmbeddingModel(await temporaryFolder(), { dtypes: ['fp32', 'q8'], externalData })
    const config = { ...(await configIn(made.directory)), 'transformers.js_config': ours }
    await writeFile(join(made.directory, 'config.json'), JSON.stringify(config))
    await expectPlanned(made.directory, 'feature-extraction', dtype)
  })

  test('embeddings with external data that only the option names', async () => {
    const made = await makeEmbeddingModel(await temporaryFolder(), { dtypes: ['fp32', 'q8'], externalData: true })
    const { 'transformers.js_config': _, ...config } = await configIn(made.directory)
    await writeFile(join(made.directory, 'config.json'), JSON.stringify(config))
    const choices: Selection['externalData'][] = [true, 1, { model: 1 }, { 'model_quantized.onnx': true }]
    for (const externalData of choices) {
      const plan = await expectPlanned(made.directory, 'feature-extraction', 'q8', { externalData })
      expect(plan).toContain('onnx/model_quantized.onnx_data')
    }
  })

  test('embeddings in another folder and with another file name', async () => {
    const made = await makeEmbeddingModel(await temporaryFolder())
    await mkdir(join(made.directory, 'other'))
    await writeFile(
      join(made.directory, 'other/text_model.onnx'),
      await readFile(join(made.directory, 'onnx/model.onnx')),
    )
    const plan = await expectPlanned(made.directory, 'feature-extraction', 'fp32', {
      subfolder: 'other',
      modelFileName: 'text_model',
    })
    expect(plan).toContain('other/text_model.onnx')
  })

  test('whisper, which ignores the option for another file name', async () => {
    const made = await makeWhisperModel(await temporaryFolder())
    await expectPlanned(made.directory, ASR, 'fp32', { modelFileName: 'text_model' })
  })

  test('whisper', async () => {
    const made = await makeWhisperModel(await temporaryFolder())
    await expectPlanned(made.directory, ASR, undefined)
    await expectPlanned(made.directory, ASR, 'fp32')
  })

  test('whisper in a dtype for each file', async () => {
    const made = await makeWhisperModel(await temporaryFolder())
    const encoder = await readFile(join(made.directory, 'onnx/encoder_model.onnx'))
    await writeFile(join(made.directory, 'onnx/encoder_model_quantized.onnx'), encoder)
    const dtype = { encoder_model: 'q8', decoder_model_merged: 'fp32' } as const
    expect(await expectPlanned(made.directory, ASR, dtype)).toContain('onnx/encoder_model_quantized.onnx')
  })

  let repos = 0

  /** Runs the pipeline with an empty cache, against a Hub that has the files of the folder. */
  async function expectPlanned(
    directory: string,
    task: 'feature-extraction' | typeof ASR,
    dtype?: DtypeChoice,
    { subfolder, modelFileName, externalData }: Selection = {},
  ) {
    const { hub, asked } = await serve(directory)
    env.cacheDir = await temporaryFolder()
    const more = { subfolder, model_file_name: modelFileName, use_external_data_format: externalData }
    const given = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined))
    const loaded = await pipeline(task, hub, { dtype, ...given })
    await loaded.dispose()
    const paths = [...asked.repository.filesAt(asked.repository.commit).keys()]
    const selection = { task, dtype, subfolder, modelFileName, externalData }
    const plan = planned(paths, await configIn(directory), selection)
    expect(existing(asked.files(), paths)).toEqual(plan)
    return plan
  }

  async function serve(directory: string) {
    const name = `org/model-${repos++}`
    const repository = hub.addRepo(name, { directory })
    const isFile = ({ kind, method, range, repo }: LoggedRequest) =>
      repo === name && kind === 'resolve' && method === 'GET' && range === undefined
    const files = () => hub.requests.filter(isFile).flatMap(({ file }) => file ?? [])
    return { hub: name, asked: { repository, files } }
  }
})

describe('a selection', () => {
  const bert = [...TEXT, ...onnx('model'), 'onnx/model_q4f16.onnx', 'model.onnx', 'other/text_model.onnx']

  test.each<[Dtype, string]>([
    ['q4f16', 'onnx/model_q4f16.onnx'],
    ['q8', 'onnx/model_quantized.onnx'],
    ['auto', 'onnx/model.onnx'],
  ])('with dtype %s has %s', (dtype, file) => {
    expect(planned(bert, {}, { task: 'fill-mask', dtype }).filter((path) => path.endsWith('.onnx'))).toEqual([file])
  })

  test('can name another folder and another file', () => {
    const weights = (selection: Selection) =>
      planned(bert, {}, { task: 'fill-mask', ...selection }).filter((path) => path.endsWith('.onnx'))
    expect(weights({ subfolder: '' })).toEqual(['model.onnx'])
    expect(weights({ subfolder: 'other', modelFileName: 'text_model' })).toEqual(['other/text_model.onnx'])
  })

  test('with a dtype that the repo does not have is refused, and the error names the dtypes that it has', () => {
    const plan = () => planned(bert, {}, { task: 'fill-mask', dtype: 'bnb4' })
    expect(plan).toThrow(ModelCacheError)
    expect(plan).toThrow(/Model org\/name.*`onnx\/model_bnb4\.onnx`.*fp32, q8, q4f16.*FILE_NOT_FOUND/)
  })

  test('with an option for external data ignores the config', () => {
    const data = ['onnx/model.onnx_data', 'onnx/model.onnx_data_1', 'onnx/model.onnx_data_2']
    const chosen = (externalData: Selection['externalData'], format: unknown) => {
      const config = { 'transformers.js_config': { use_external_data_format: format } }
      return planned([...bert, ...data], config, { task: 'fill-mask', externalData }).filter((path) =>
        data.includes(path),
      )
    }
    expect(chosen(undefined, 2)).toEqual(data.slice(0, 2))
    expect(chosen(false, 2)).toEqual([])
    expect(chosen(true, undefined)).toEqual(data.slice(0, 1))
    expect(chosen(3, { model: 1 })).toEqual(data)
    expect(chosen({ model: 2 }, true)).toEqual(data.slice(0, 2))
    expect(chosen({ 'model.onnx': 3, model: 1 }, true)).toEqual(data)
    expect(chosen({ other: 2 }, true)).toEqual([])
  })

  test.each<[unknown, number]>([
    [100, 100],
    [101, 100],
    [1e9, 100],
    ['1e9', 100],
    [Number.MAX_SAFE_INTEGER, 100],
    [-1, 0],
    ['many', 0],
    [[], 0],
    [{ model: { model: 1 } }, 0],
    [{ constructor: 5 }, 0],
  ])('has at most a hundred chunks of external data, whatever the config says: %j', (format, count) => {
    const data = Array.from({ length: 150 }, (_, index) => `onnx/model.onnx_data${index === 0 ? '' : `_${index}`}`)
    const config = { 'transformers.js_config': { use_external_data_format: format } }
    const taken = planned([...bert, ...data], config, { task: 'fill-mask' })
    expect(taken.filter((path) => path.includes('_data'))).toHaveLength(count)
  })

  test.each(['', 'whatever', 'constructor'])(
    'with the task %j has the tokenizer and the processor if the repo has them',
    (task) => {
      const processor = ['preprocessor_config.json', 'processor_config.json', 'chat_template.jinja']
      const tokenizer = ['tokenizer.json', 'tokenizer_config.json']
      const weights = ['config.json', 'onnx/model.onnx']
      expect(planned([...bert, ...processor], {}, { task })).toEqual([...weights, ...tokenizer, ...processor].sort())
      expect(planned(bert, {}, { task })).toEqual([...weights, ...tokenizer].sort())
      expect(planned([...SENSE, ...onnx('model')], {}, { task })).toEqual([...weights, 'preprocessor_config.json'])
    },
  )

  test('without a known task has the generation config too, as the model may generate text', () => {
    expect(planned([...bert, ...GENERATES], {}, { task: '' })).toContain('generation_config.json')
    expect(planned([...bert, ...GENERATES], {}, { task: 'fill-mask' })).not.toContain('generation_config.json')
  })

  test.each<RepoConfig>([
    { 'transformers.js_config': null },
    { 'transformers.js_config': [] },
    { 'transformers.js_config': 'q8' },
    { 'transformers.js_config': { dtype: 5, device_config: 'cpu', use_external_data_format: 'none' } },
    { architectures: null, vision_config: null, is_encoder_decoder: 'no' },
    { architectures: [null], model_type: 5 },
    { architectures: { 0: 'x' } },
  ])('ignores invalid fields of the config: %j', (config) => {
    expect(planned(bert, config, { task: 'fill-mask' })).toEqual(planned(bert, {}, { task: 'fill-mask' }))
  })

  test('is refused when the repo has no weights', () => {
    expect(() => planned(TEXT, {}, { task: 'fill-mask' })).toThrow(/`onnx\/model\.onnx`.*\[FILE_NOT_FOUND]/)
  })
})

test('a repo is one for transformers.js when it has a config and ONNX files in `onnx/`', () => {
  expect(isTransformersRepo(treeOf(['config.json', 'onnx/model.onnx']))).toBe(true)
  expect(isTransformersRepo(treeOf(['onnx/model.onnx']))).toBe(false)
  expect(isTransformersRepo(treeOf(['config.json', 'model.onnx', 'model.safetensors']))).toBe(false)
  expect(isTransformersRepo(treeOf(['config.json', 'onnx/deep/model.onnx']))).toBe(false)
})

function existing(files: readonly string[], paths: readonly string[]): string[] {
  return [...new Set(files)].filter((file) => paths.includes(file)).sort()
}
