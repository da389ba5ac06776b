import type { ProviderDefinition } from './definition.ts'

/** The files of a model, for a runtime that opens paths. */
export interface ModelFiles {
  /** The snapshot folder, absolute. */
  directory: string
  /** The paths of the files in the repo. */
  files: string[]
  /** The absolute path of one file. Throws `FILE_NOT_FOUND`. */
  file(path: string): string
}

/** Returns paths in the cache. It has no mock: in `unit` mode there are no files. */
export const filesProvider: ProviderDefinition<ModelFiles> = {
  name: 'files',
  load: ({ model }) => ({
    directory: model.directory,
    files: [...model.files.keys()],
    file: (path) => model.file(path),
  }),
}
