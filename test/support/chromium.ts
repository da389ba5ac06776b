import { delimiter, join } from 'node:path'
import { findProgram } from './find-program.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** The path of Chromium: CHROMIUM_PATH, else a known name on PATH; undefined where there is none. */
export const CHROMIUM = findChromium()

function findChromium(): string | undefined {
  const { CHROMIUM_PATH, PATH = '' } = process.env
  const folders = PATH.split(delimiter).filter(Boolean)
  return findProgram([CHROMIUM_PATH, ...NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))])
}
