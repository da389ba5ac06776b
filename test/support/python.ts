import { spawnSync } from 'node:child_process'

const PYTHON = process.env.PYTHON_PATH ?? 'python3'

/** A Python that has huggingface_hub. Undefined if this machine has none. */
export const python: string | undefined =
  spawnSync(PYTHON, ['-c', 'import huggingface_hub']).status === 0 ? PYTHON : undefined
