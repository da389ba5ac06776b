import type { Graph, Initializer } from './onnx-proto.ts'
import type { Message, Payload } from './protobuf.ts'

// As torch and optimum do: smaller tensors stay in the model, and each tensor begins at a page of memory.
const LEAST_BYTES = 1024
const PAGE_BYTES = 4096

/** Moves the large initializers of a graph to a data file. */
export function moveToDataFile(graph: Graph, location: string): { pointing: Graph; data: Message } {
  const data: (Uint8Array | Payload)[] = []
  let offset = 0
  const move = (initializer: Initializer): Initializer => {
    const { content } = initializer
    if (!('byteLength' in content) || 'location' in content || content.byteLength < LEAST_BYTES) return initializer
    const { byteLength } = content
    const padding = new Uint8Array((PAGE_BYTES - (byteLength % PAGE_BYTES)) % PAGE_BYTES)
    data.push(content, padding)
    const moved = { ...initializer, content: { location, offset, byteLength } }
    offset += byteLength + padding.byteLength
    return moved
  }
  return { pointing: { ...graph, initializers: graph.initializers.map(move) }, data }
}
