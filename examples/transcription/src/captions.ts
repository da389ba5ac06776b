/** A piece of a transcript. */
export interface Chunk {
  text: string
  /** In seconds. A recording that is cut off leaves its last piece without an end. */
  timestamp: [start: number, end: number | null]
}

/** How long a caption without an end is shown, in seconds. */
const DEFAULT_SECONDS = 2

/** The captions of a recording in the format SubRip (.srt). */
export function toSrt(chunks: Chunk[]): string {
  return chunks.map(caption).join('\n')
}

function caption({ text, timestamp: [start, end] }: Chunk, index: number): string {
  return `${index + 1}\n${clock(start)} --> ${clock(end ?? start + DEFAULT_SECONDS)}\n${text.trim()}\n`
}

/** `00:01:02,500` */
function clock(seconds: number): string {
  return new Date(Math.round(seconds * 1000)).toISOString().slice(11, 23).replace('.', ',')
}
