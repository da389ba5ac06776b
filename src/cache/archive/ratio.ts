// Weights shrink by a tenth, and text by a factor of ten. Only what was made to fill a disk shrinks by more than this.
export const LARGEST_RATIO = 200
const ALWAYS_ALLOWED_BYTES = 64 << 20

/** True for compressed data that grows so much that no model is in it. */
export function isOutOfProportion(decompressed: number, compressed: number): boolean {
  return decompressed > ALWAYS_ALLOWED_BYTES && decompressed > compressed * LARGEST_RATIO
}
