import { describe, expect, test } from 'vitest'
import { type Plan, type PlanInput, planFiles } from '../../../src/cache/selection/plan.ts'
import type { Entry } from '../../../src/model/entry.ts'
import { type HubPath, parseHubPath } from '../../../src/model/hub-path.ts'
import type { Selection } from '../../../src/model/selection.ts'
import type { Tree } from '../../../src/model/tree.ts'
import { entryWith } from '../../support/entry.ts'

const REPO = [
  '.gitattributes',
  'README.md',
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'onnx/model.onnx',
  'onnx/model_quantized.onnx',
  'onnx/deep/model.onnx',
  'weird [1].txt',
]
const EMBEDDING = ['config.json', 'onnx/model.onnx', 'tokenizer.json', 'tokenizer_config.json']

function hubPath(path: string): HubPath {
  return parseHubPath(path, 'a test')
}

function treeOf(paths: string[]): Tree {
  return new Map(paths.map((path) => [hubPath(path), { size: 1, digest: `sha1:${'0'.repeat(40)}`, gitId: '' }]))
}

function entryUsing(selections: { files: string[]; used: boolean }[]): Entry {
  return entryWith({
    selections: selections.map(({ files, used }, index) => ({ key: `${index}`, files: files.map(hubPath), used })),
  })
}

async function plan(selection: Selection, { paths = REPO, ...rest }: Partial<PlanInput> & { paths?: string[] } = {}) {
  const readConfig = async () => ({})
  return planFiles({ selection, tree: treeOf(paths), readConfig, asked: 'Model org/name', ...rest })
}

async function filesOf(selection: Selection): Promise<string[]> {
  return sorted(await plan(selection))
}

function sorted({ files }: Plan): string[] {
  return files.map(String).sort()
}

describe('globs', () => {
  test.each<[string[], string[]]>([
    [['config.json'], ['config.json']],
    [['*.json'], ['config.json', 'tokenizer.json', 'tokenizer_config.json']],
    [['onnx/*.onnx'], ['onnx/model.onnx', 'onnx/model_quantized.onnx']],
    [['onnx/**'], ['onnx/deep/model.onnx', 'onnx/model.onnx', 'onnx/model_quantized.onnx']],
    [['**/model.onnx'], ['onnx/deep/model.onnx', 'onnx/model.onnx']],
    [['{config,tokenizer}.json'], ['config.json', 'tokenizer.json']],
    [['.git*'], ['.gitattributes']],
    [['*.md', 'README.md'], ['README.md']],
    [['**'], [...REPO].sort()],
    [['weird [1].txt'], ['weird [1].txt']],
  ])('%j', async (files, expected) => {
    expect(await plan({ files })).toMatchObject({ rule: 'files' })
    expect(await filesOf({ files })).toEqual(expected)
  })

  test('with an exclamation mark exclude files, in any position of the list', async () => {
    const expected = ['config.json', 'tokenizer_config.json']
    expect(await filesOf({ files: ['*.json', '!tokenizer.json'] })).toEqual(expected)
    expect(await filesOf({ files: ['!tokenizer.json', '*.json'] })).toEqual(expected)
    expect(await filesOf({ files: ['!onnx/**', '!*.json'] })).toEqual(['.gitattributes', 'README.md', 'weird [1].txt'])
  })

  test('that exclude files need not match any', async () => {
    expect(await filesOf({ files: ['config.json', '!missing.bin'] })).toEqual(['config.json'])
  })

  test('without a match throw an error that names the files of the repo', async () => {
    const error = expect.objectContaining({
      code: 'FILE_NOT_FOUND',
      asked: 'Model org/name',
      reason: expect.stringContaining('"confg.json"'),
      nextStep: expect.stringMatching(/config\.json.* and 1 more/),
    })
    await expect(plan({ files: ['confg.json'] })).rejects.toEqual(error)
    await expect(plan({ files: ['config.json', 'confg.json'] })).rejects.toEqual(error)
  })

  test('that are optional need not match a file', async () => {
    const optional = ['onnx/model.onnx_data*']
    expect(await filesOf({ files: ['onnx/model.onnx'], optional })).toEqual(['onnx/model.onnx'])
    const paths = [...REPO, 'onnx/model.onnx_data', 'onnx/model.onnx_data_1']
    expect(sorted(await plan({ files: ['onnx/model.onnx'], optional }, { paths }))).toEqual([
      'onnx/model.onnx',
      'onnx/model.onnx_data',
      'onnx/model.onnx_data_1',
    ])
  })
})

describe('a task', () => {
  test('selects the files that its pipeline loads', async () => {
    const planned = await plan({ task: 'feature-extraction' })
    expect(planned.rule).toBe('task')
    expect(sorted(planned)).toEqual(EMBEDDING)
  })

  test('with globs selects the files of both', async () => {
    expect(await filesOf({ task: 'feature-extraction', files: ['README.md', 'config.json'] })).toEqual([
      'README.md',
      ...EMBEDDING,
    ])
  })

  test('takes precedence over the files that earlier runs used', async () => {
    const entry = entryUsing([{ files: ['README.md'], used: true }])
    expect(sorted(await plan({ task: 'feature-extraction' }, { entry }))).toEqual(EMBEDDING)
  })
})

describe('the default selection', () => {
  const entry = entryUsing([
    { files: ['config.json', 'onnx/model_quantized.onnx'], used: true },
    { files: ['config.json', 'README.md'], used: true },
    { files: ['weird [1].txt'], used: false },
  ])

  test('has the files that earlier runs used, and not those that were only warmed', async () => {
    const planned = await plan({}, { entry, ownTask: 'feature-extraction' })
    expect(planned.rule).toBe('earlier runs')
    expect(sorted(planned)).toEqual(['README.md', 'config.json', 'onnx/model_quantized.onnx'])
  })

  test("has the files of the pipeline of the repo's own task when no run has used it", async () => {
    const warmed = entryUsing([{ files: ['README.md'], used: false }])
    for (const past of [undefined, entryUsing([]), warmed]) {
      const planned = await plan({}, { entry: past, ownTask: 'feature-extraction' })
      expect(planned.rule).toBe('own task')
      expect(sorted(planned)).toEqual(EMBEDDING)
    }
  })

  test("with a dtype has the files of the repo's own task in this dtype, whatever was used before", async () => {
    const planned = await plan({ dtype: 'q8' }, { entry, ownTask: 'feature-extraction' })
    expect(planned.rule).toBe('own task')
    expect(sorted(planned)).toContain('onnx/model_quantized.onnx')
    expect(sorted(planned)).not.toContain('README.md')
  })

  test('of a repo without a task has the weights of the default dtype only', async () => {
    const processor = ['preprocessor_config.json', 'processor_config.json', 'chat_template.jinja']
    for (const selection of [{}, { dtype: 'q8' } as const]) {
      const planned = await plan(selection, { paths: [...REPO, ...processor, 'generation_config.json'] })
      const weights = 'dtype' in selection ? 'onnx/model_quantized.onnx' : 'onnx/model.onnx'
      expect(planned.rule).toBe('default weights')
      const tokenizer = ['tokenizer.json', 'tokenizer_config.json']
      expect(sorted(planned)).toEqual(
        ['config.json', 'generation_config.json', weights, ...tokenizer, ...processor].sort(),
      )
    }
  })

  test('of any other repo has all files', async () => {
    for (const paths of [
      ['config.json', 'model.safetensors'],
      ['onnx/model.onnx', 'onnx/model_quantized.onnx'],
      ['config.json', 'model.onnx'],
      ['README.md'],
    ])
      for (const ownTask of [undefined, 'feature-extraction'])
        expect(await plan({}, { paths, ownTask })).toEqual({ rule: 'all files', files: paths })
  })

  test('reads the config only when the files of a pipeline are planned', async () => {
    let reads = 0
    const readConfig = async () => {
      reads++
      return {}
    }
    await plan({ files: ['*.json'] }, { readConfig })
    await plan({}, { readConfig, entry })
    await plan({}, { readConfig, paths: ['config.json', 'model.safetensors'] })
    expect(reads).toBe(0)
    await plan({}, { readConfig, ownTask: 'feature-extraction' })
    await plan({}, { readConfig })
    expect(reads).toBe(2)
  })
})
