import { expect, test } from 'vitest'
import { planFiles } from '../../src/cache/selection/plan.ts'
import { parseRepoConfig } from '../../src/cache/selection/transformers-sessions.ts'
import { addToTree, type Tree } from '../../src/model/tree.ts'
import { cases, mutate, mutation, tolerated } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const CONFIG = {
  architectures: ['BertForTokenClassification'],
  is_encoder_decoder: true,
  vision_config: {},
  'transformers.js_config': {
    dtype: { encoder_model: 'fp32', model: 'auto' },
    use_external_data_format: { encoder_model: 1, 'model.onnx': true },
    device_config: { cpu: { dtype: { encoder_model: 'q8' }, use_external_data_format: { 'model.onnx': 2 } } },
  },
}

const PATHS = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'preprocessor_config.json']
const SESSIONS = ['model', 'encoder_model', 'decoder_model_merged', 'vision_encoder']
const paths = fc.subarray(SESSIONS).map((names) => {
  const weights = names.flatMap((name) => [`${name}.onnx`, `${name}_quantized.onnx`, `${name}.onnx_data`])
  return [...PATHS, ...weights.map((name) => `onnx/${name}`)]
})
const task = fc.constantFrom('feature-extraction', 'automatic-speech-recognition', 'text-generation', undefined)

test("a repo's config.json may have any content: only files of the repo are selected", async () => {
  const property = fc.asyncProperty(mutation, paths, task, async (changes, paths, task) => {
    const tree: Tree = new Map()
    for (const path of paths) addToTree(tree, { path, size: 1, gitId: 'a'.repeat(40) }, 'a test')
    const config = JSON.stringify(mutate(CONFIG, changes)) ?? ''
    const readConfig = async () => parseRepoConfig(config)
    const plan = await tolerated(planFiles({ selection: { task }, tree, readConfig, asked: 'a test' }))
    for (const file of plan?.files ?? []) expect(tree.has(file)).toBe(true)
  })
  await fc.assert(property, cases(2000))
})
