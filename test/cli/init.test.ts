import { access, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { Cli } from '../support/cli.ts'
import { Consumer } from '../support/consumer.ts'
import { Engine } from '../support/engine.ts'
import type { ProjectFolder } from '../support/project-folder.ts'

const CONFIG = `import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Ours.
  test: { globals: true },
})
`
const FILES = ['vitest.config.ts', 'tsconfig.json', '.gitignore', '.github/workflows/models.yml']

function textsOf(project: ProjectFolder, files = FILES): Promise<(string | undefined)[]> {
  return Promise.all(files.map((name) => readFile(join(project.directory, name), 'utf8').catch(() => undefined)))
}

test('init shows and asks first, edits what is there, and changes nothing the second time', async () => {
  const files = {
    'vitest.config.ts': CONFIG,
    'tsconfig.json':
      '{\n  // Strict.\n  "compilerOptions": { "strict": true, "types": ["node"] },\n  "include": ["src"],\n}\n',
    '.gitignore': 'dist/',
    'package-lock.json': '{}',
  }
  const project = await Consumer.create({ files })
  const [shown, unasked] = await Promise.all([
    project.cli(['init', '--github', '--dry-run']),
    project.cli(['init', '--github']),
  ])
  expect(shown).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Would write 4 files.') })
  expect(shown.stdout).toContain('  +   plugins: [modelCache()],')
  expect(unasked).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/--yes.*Nothing was changed/) })
  expect(await textsOf(project)).toEqual([files['vitest.config.ts'], files['tsconfig.json'], 'dist/', undefined])

  const written = await project.cli(['init', '--github', '-y'])
  expect(written, written.output).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Wrote 4 files.') })
  const after = await textsOf(project)
  const [config, tsconfig, ignored, workflow = ''] = after
  expect(config).toBe(`import { defineConfig } from 'vitest/config'
import { modelCache } from 'vitest-model-cache'

export default defineConfig({
  plugins: [modelCache()],
  // Ours.
  test: { globals: true },
})
`)
  expect(tsconfig).toBe(files['tsconfig.json'].replace('["node"]', '["vitest-model-cache", "node"]'))
  expect(ignored).toBe('dist/\n.model-cache/\n')
  const steps = parse(workflow).jobs.test.steps.flatMap(({ run = [] }) => run)
  expect(steps.slice(0, 3)).toEqual(['npm ci', 'npx vitest run', 'npx vitest-model-cache optimize'])
  expect(steps[3]).toMatch(/^echo "key=models-.*\$\(npx vitest-model-cache key\)" >> "\$GITHUB_OUTPUT"$/)

  const again = await project.cli(['init', '--github', '-y', '--json'])
  expect(JSON.parse(again.stdout).steps.every(({ action }: { action: string }) => action === 'none')).toBe(true)
  expect(await textsOf(project)).toEqual(after)
})

test('init makes a config where there is none, and leaves an unusual one alone with the lines to paste', async () => {
  const project = await Consumer.create({ files: {} })
  // Jest is installed too.
  const undecided = await project.cli(['init', '--yes'])
  expect(undecided).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('Add `--runner vitest` or') })
  const made = await project.cli(['init', '--yes', '--runner', 'vitest'])
  expect(made, made.output).toMatchObject({ exitCode: 0 })
  const [config] = await textsOf(project, ['vitest.config.js'])
  expect(config).toContain('plugins: [modelCache()]')
  expect(await project.cli(['init', '-y'])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('nothing to write'),
  })
  await rm(join(project.directory, 'vitest.config.js'))

  const broken = `${CONFIG}throw new Error('on purpose')\n`
  const unusual = 'const base = {}\nexport default { ...base, test: {} }\n'
  await project.write({ 'vitest.config.js': unusual })
  const left = await project.cli(['init', '--yes'])
  expect(left.exitCode).toBe(1)
  expect(left.stdout).toMatch(
    /left as it is.*unusual shape.*\n {2}import { modelCache } from 'vitest-model-cache'\n {2}plugins: \[modelCache\(\)\],/,
  )
  expect(await textsOf(project, ['vitest.config.js'])).toEqual([unusual])
  await project.write({ 'vitest.config.js': broken })
  expect(await project.cli(['init', '--yes'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('on purpose'),
  })
  expect(await textsOf(project, ['vitest.config.js'])).toEqual([broken])
})

test('init in a project without Vitest says what to install, in the words of its package manager', async () => {
  const engine = await Engine.start(onTestFinished)
  const refused = await new Cli(engine).run('init', '--yes')
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' })
  expect(refused.stderr).toMatch(
    /lacks vitest and vitest-model-cache.*`npm install --save-dev vitest vitest-model-cache`/,
  )
  await expect(access(join(engine.folder, 'vitest.config.js'))).rejects.toThrow('ENOENT')
})
