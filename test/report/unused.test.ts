import { expect, test } from 'vitest'
import { formatSize } from '../../src/config/units.ts'
import { type Selection, selectionKey } from '../../src/model/selection.ts'
import { unusedLines } from '../../src/report/unused.ts'

const MIB = 2 ** 20
const SIZES = {
  'config.json': 1000,
  'tokenizer.json': 2000,
  'onnx/model.onnx': 90 * MIB,
  'onnx/model_quantized.onnx': 23 * MIB,
  'onnx/encoder_model.onnx': 30 * MIB,
  'onnx/decoder_model_quantized.onnx': 40 * MIB,
  'other/weights.bin': 50 * MIB,
}
type Path = keyof typeof SIZES
const model = { repo: 'org/m', revision: 'main', commit: 'a'.repeat(40) }

function withSizes(paths: Path[]): [string, number][] {
  return paths.map((path) => [path, SIZES[path]])
}

function declared(...paths: Path[]) {
  return { ...model, files: withSizes(paths) }
}

/** A request of untouched code. With a selection, a request of `models`. */
function use(paths: Path[], selection: Selection = { paths }) {
  return { ...model, files: withSizes(paths), selection: selectionKey(selection) }
}

const plain = declared('config.json', 'tokenizer.json', 'onnx/model.onnx')

test('a declared model with unused files has a line that says what to write', () => {
  expect(unusedLines([plain], [use(['config.json', 'tokenizer.json', 'onnx/model_quantized.onnx'])])).toEqual([
    `declared but not used: onnx/model.onnx (${formatSize(90 * MIB)}) of org/m. Write { repo: 'org/m', dtype: 'q8' } in \`models\` to avoid the download.`,
  ])
})

test.each<[string, ReturnType<typeof use>[]]>([
  [
    "{ repo: 'org/m', dtype: { decoder_model: 'q8', encoder_model: 'fp32' } }",
    [use(['onnx/encoder_model.onnx', 'onnx/decoder_model_quantized.onnx'])],
  ],
  ["{ repo: 'org/m', files: ['config.json', 'other/weights.bin'] }", [use(['config.json', 'other/weights.bin'])]],
  ["{ repo: 'org/m', files: ['config.json'] }", [use(['config.json'])]],
  [
    "{ repo: 'org/m', task: 'feature-extraction', dtype: 'q8' }",
    [use(['config.json', 'onnx/model_quantized.onnx'], { task: 'feature-extraction', dtype: 'q8' })],
  ],
  [
    "{ repo: 'org/m', dtype: 'q8' }, { repo: 'org/m', files: ['config.json'] }",
    [use(['onnx/model_quantized.onnx']), use(['config.json']), use(['onnx/model_quantized.onnx'])],
  ],
])('says to write %s', (specs, uses) => {
  expect(unusedLines([plain], uses)[0]).toContain(`Write ${specs} in`)
})

test('there is no line for a model that was used, that no test requested, or with few unused bytes', () => {
  expect(unusedLines([plain], [use(['config.json', 'onnx/model.onnx'])])).toEqual([])
  expect(unusedLines([plain], [])).toEqual([])
  expect(unusedLines([plain], [{ ...use(['config.json']), repo: 'org/other' }])).toEqual([])
  const both = declared('config.json', 'onnx/model.onnx', 'onnx/model_quantized.onnx')
  expect(unusedLines([both], [use(['onnx/model.onnx']), use(['onnx/model_quantized.onnx'])])).toEqual([])
})
