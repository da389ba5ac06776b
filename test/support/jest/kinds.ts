/** How a user's project compiles its tests for Jest. */
export type Kind = 'cjs' | 'esm' | 'babel' | 'swc' | 'ts-jest'

interface Toolchain {
  /** The `type` of the project's package.json. */
  type: 'commonjs' | 'module'
  /** The extension of test files. */
  extension: 'js' | 'ts'
  /** What is added to Jest's config. */
  config: Record<string, unknown>
  /** Further files of the project. */
  files?: Record<string, string>
  /** What npm has to install, beside Jest. */
  packages?: string[]
  /** Arguments of Node.js. */
  nodeArguments?: string[]
}

export const TOOLCHAINS: Record<Kind, Toolchain> = {
  cjs: { type: 'commonjs', extension: 'js', config: { transform: {} } },
  esm: {
    ...{ type: 'module', extension: 'js', config: { transform: {} } },
    nodeArguments: ['--experimental-vm-modules', '--no-warnings'],
  },
  babel: {
    ...{ type: 'commonjs', extension: 'js', config: {} },
    files: {
      'babel.config.json': JSON.stringify({ presets: [['@babel/preset-env', { targets: { node: 'current' } }]] }),
    },
    packages: ['@babel/preset-env@7'],
  },
  swc: {
    ...{ type: 'commonjs', extension: 'ts', config: { transform: { '^.+\\.[jt]s$': '@swc/jest' } } },
    packages: ['@swc/jest@0.2', '@swc/core@1'],
  },
  'ts-jest': {
    ...{ type: 'commonjs', extension: 'ts', config: { preset: 'ts-jest' } },
    files: {
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          target: 'es2022',
          module: 'commonjs',
          strict: true,
          skipLibCheck: true,
          types: ['jest', 'node'],
        },
      }),
    },
    // ts-jest uses the API of TypeScript, which version 7 does not have.
    packages: ['ts-jest@29', 'typescript@5', '@types/jest@29', '@types/node@20'],
  },
}

/** Source text whose lines `import { names } from 'module'` and `import * as name from 'module'` are calls of `require`. */
export function asCommonJs(source: string): string {
  return source.replace(
    /^(\s*)import (?:\* as )?(\w+|\{[^}]*\}) from ('[^']+')/gm,
    (_, indent: string, names: string, from: string) =>
      `${indent}const ${names.replaceAll(' as ', ': ')} = require(${from})`,
  )
}
