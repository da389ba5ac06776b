import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** The path of Chromium: CHROMIUM_PATH, else a known name on PATH; undefined where there is none. */
export const CHROMIUM = findChromium()

function findChromium(): string | undefined {
  const { CHROMIUM_PATH, PATH = '' } = process.env
  const folders = PATH.split(delimiter).filter(Boolean)
  return [CHROMIUM_PATH, ...NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))].find(isExecutable)
}

function isExecutable(path: string | undefined): boolean {
  try {
    if (path) accessSync(path, constants.X_OK)
    return Boolean(path)
  } catch {
    return false
  }
}
