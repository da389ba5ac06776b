import { join } from 'node:path'
import type { Runner } from '../config/choose-runner.ts'
import { readText } from './read-text.ts'
import type { Step } from './step.ts'

/** How the tests are run once. */
export const COMMANDS = { vitest: 'vitest run', jest: 'jest' }

const FILE = '.github/workflows/models.yml'

/** A workflow of GitHub that keeps the models between runs. A file of that name is left alone. */
export function workflowStep(folder: string, runner: Runner, declaresModels: boolean): Step {
  const before = readText(join(folder, FILE))
  if (before !== undefined) return { kind: 'done', path: FILE, what: 'is there' }
  const after = workflow(runner, declaresModels, installerOf(folder))
  return {
    kind: 'write',
    path: FILE,
    what: 'make a workflow that keeps the models between runs',
    before: undefined,
    after,
  }
}

interface Installer {
  name: string
  /** Before `actions/setup-node`. */
  setUp: string
  install: string
  exec: string
}

function installerOf(folder: string): Installer {
  const has = (name: string) => readText(join(folder, name)) !== undefined
  if (has('pnpm-lock.yaml'))
    return {
      name: 'pnpm',
      setUp: '      - uses: pnpm/action-setup@v4\n',
      install: 'pnpm install --frozen-lockfile',
      exec: 'pnpm exec',
    }
  if (has('yarn.lock')) return { name: 'yarn', setUp: '', install: 'yarn install --immutable', exec: 'yarn run' }
  return { name: 'npm', setUp: '', install: has('package-lock.json') ? 'npm ci' : 'npm install', exec: 'npx' }
}

/** The recipe of docs/ci.md. `warm` needs declared models; without any, the tests download what they ask for. */
function workflow(runner: Runner, declaresModels: boolean, { name, setUp, install, exec }: Installer): string {
  const token = `        env:\n          HF_TOKEN: \${{ secrets.HF_TOKEN }}\n`
  const warm = declaresModels ? `      - run: ${exec} vitest-model-cache warm\n${token}` : ''
  const cacheOfPackages = install === 'npm install' ? '' : `          cache: ${name}\n`
  return `name: models
on: [push, pull_request]

permissions:
  contents: read

jobs:
  test:
    runs-on: ubuntu-latest
    env:
      MODEL_CACHE_DIR: \${{ github.workspace }}/.model-cache
    steps:
      - uses: actions/checkout@v4
${setUp}      - uses: actions/setup-node@v4
        with:
          node-version: 22
${cacheOfPackages}      - run: ${install}
      - id: models
        uses: actions/cache/restore@v4
        with:
          path: .model-cache
          key: models-\${{ runner.os }}-newest
          restore-keys: models-\${{ runner.os }}-
${warm}      - run: ${exec} ${COMMANDS[runner]}
${declaresModels ? '' : token}      - run: ${exec} vitest-model-cache optimize
      - id: key
        run: echo "key=models-\${{ runner.os }}-$(date +%Y-%m)-$(${exec} vitest-model-cache key)" >> "$GITHUB_OUTPUT"
      - if: github.ref_name == github.event.repository.default_branch && steps.key.outputs.key != steps.models.outputs.cache-matched-key
        uses: actions/cache/save@v4
        with:
          path: .model-cache
          key: \${{ steps.key.outputs.key }}
`
}
