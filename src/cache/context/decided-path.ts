import type { FileStamp } from '../store/blobs.ts'

/** The path that a runtime is to open for a cached file. */
export interface PathToLoad {
  path: string
  /**
   * `mapped`: the path is that of a small ONNX file, and the runtime maps the weights from the cached file. `plain`: the path is that
   * of the file itself.
   */
  way: 'mapped' | 'plain'
  /** Why the file is loaded plainly. */
  reason?: string
}

/** A path that was decided while the files had these stamps. */
export interface DecidedPath {
  answer: PathToLoad
  stamps: { path: string; stamp: FileStamp | undefined }[]
}
