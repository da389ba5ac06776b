import type { ProviderDefinition } from './definition.ts'

/** A model as files, for every runtime that opens a path. */
export interface ModelFiles {
  /** The snapshot folder, absolute. */
  directory: string
  /** The paths of the files in the repo. */
  files: string[]
  /** The absolute path of one of them. Throws `FILE_NOT_FOUND`. */
  file(path: string): string
}

/** Paths in the cache. There is no mock: in `unit` mode there are no files. */
export const filesProvider: ProviderDefinition<ModelFiles> = {
  name: 'files',
  load: ({ model }) => ({
    directory: model.directory,
    files: [...model.files.keys()],
    file: (path) => model.file(path),
  }),
}
