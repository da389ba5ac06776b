import { blobNameOf } from '../../../model/digest.ts'
import { movableData } from './movable-tensor.ts'
import { ENTRY, EXTERNAL, GRAPH, MODEL, TENSOR } from './onnx.ts'
import { BYTES, bytesField, bytesHead, type Field, NotMappable, numberField, type Read, Walker } from './protobuf.ts'
import { LARGEST_SKELETON_BYTES, SMALLEST_GAIN_BYTES } from './skeleton-file.ts'
import { type MadeOf, TRAILER_LENGTH, trailerFor } from './trailer.ts'

/** A skeleton: an ONNX model whose large weights are in the blob of which it was made. */
export interface Skeleton {
  bytes: Uint8Array
  /** The bytes of the weights that stay in the blob. */
  movedBytes: number
  /** How many tensors these are. */
  tensors: number
}

/** A part of the skeleton: a part of the blob, by its positions, or bytes that are new. */
type Part = { start: number; end: number } | Uint8Array

/**
 * Makes the skeleton of an ONNX file: a copy without the weights, which points into the file itself. The weights are skipped and
 * not read. All other fields stay as they are and in their order. Throws `NotMappable` for a file for which none is made.
 */
export function makeSkeleton(read: Read, source: MadeOf): Skeleton {
  const walker = new Walker(read, source.size)
  const plan = new Plan(walker, blobNameOf(source.digest))
  const parts = plan.ofModel()
  if (plan.movedBytes < SMALLEST_GAIN_BYTES) throw new NotMappable('it has too few weights that can be mapped')
  const length = lengthOf(parts)
  const bytes = Buffer.allocUnsafe(length + TRAILER_LENGTH)
  copyParts(walker, parts, bytes)
  bytes.set(trailerFor(bytes.subarray(0, length), source), length)
  return { bytes, movedBytes: plan.movedBytes, tensors: plan.tensors }
}

// Each tensor is a mapping of its own, and Linux allows a process some 65,000.
const MOST_TENSORS = 8192

/** Walks a model, and collects the parts of its skeleton. */
class Plan {
  movedBytes = 0
  tensors = 0
  #length = 0

  constructor(
    readonly walker: Walker,
    readonly location: string,
  ) {}

  ofModel(): Part[] {
    let graphs = 0
    const { size } = this.walker
    return this.#replace(0, size, (field) => {
      if (field.number !== MODEL.graph || field.wireType !== BYTES) return undefined
      // A reader would merge them.
      if (++graphs > 1) throw new NotMappable('it has more than one graph')
      return this.#ofGraph(field)
    })
  }

  #ofGraph(graph: Field): Part[] {
    const parts = this.#replace(graph.value, graph.end, (field) => {
      if (field.number !== GRAPH.initializer || field.wireType !== BYTES) return undefined
      if (this.tensors === MOST_TENSORS) throw new NotMappable('it has too many tensors')
      const data = movableData(this.walker, field)
      return data && this.#ofTensor(field, data)
    })
    return [bytesHead(MODEL.graph, lengthOf(parts)), ...parts]
  }

  #ofTensor({ value, end }: Field, data: Field): Part[] {
    const length = data.end - data.value
    const entries = Object.entries({ location: this.location, offset: String(data.value), length: String(length) })
    const moved = Buffer.concat([
      ...entries.map(([key, text]) =>
        bytesField(TENSOR.externalData, Buffer.concat([bytesField(ENTRY.key, key), bytesField(ENTRY.value, text)])),
      ),
      numberField(TENSOR.dataLocation, EXTERNAL),
    ])
    this.movedBytes += length
    this.tensors++
    const parts = [{ start: value, end: data.start }, moved, { start: data.end, end }]
    return [bytesHead(GRAPH.initializer, lengthOf(parts)), ...parts]
  }

  /** The parts of a message. `replacement` gives the parts of a field that changes, and undefined for one that stays. */
  #replace(start: number, end: number, replacement: (field: Field) => Part[] | undefined): Part[] {
    const parts: Part[] = []
    let from = start
    for (const field of this.walker.fields(start, end)) {
      const before = this.#length
      const changed = replacement(field)
      this.#length = before + (changed ? lengthOf(changed) : field.end - field.start)
      if (this.#length > LARGEST_SKELETON_BYTES - TRAILER_LENGTH)
        throw new NotMappable('it is large without its weights, too')
      if (!changed) continue
      parts.push({ start: from, end: field.start }, ...changed)
      from = field.end
    }
    return [...parts, { start: from, end }]
  }
}

function lengthOf(parts: Part[]): number {
  return parts.reduce((sum, part) => sum + ('start' in part ? part.end - part.start : part.byteLength), 0)
}

function copyParts(walker: Walker, parts: Part[], into: Buffer): void {
  let at = 0
  for (const part of parts) {
    const target = into.subarray(at, at + lengthOf([part]))
    at += target.length
    if (!('start' in part)) {
      target.set(part)
      continue
    }
    walker.copy(target, part.start)
    // In a node's attribute or in a subgraph. It is found by its text: walking all nodes would take longer.
    if (namesExternalData(target)) throw new NotMappable('some of its weights are in a file of their own')
  }
}

/** True when the bytes may have an entry of external data: the text `location` after its length. A long form of 8 ends with a 0. */
function namesExternalData(bytes: Buffer): boolean {
  for (let at = bytes.indexOf('location'); at !== -1; at = bytes.indexOf('location', at + 1))
    if (bytes[at - 1] === 8 || bytes[at - 1] === 0) return true
  return false
}
