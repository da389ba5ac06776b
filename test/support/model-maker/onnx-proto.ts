import {
  bytesField,
  floatField,
  floatsField,
  int64Field,
  int64sField,
  type Message,
  messageField,
  type Payload,
  stringField,
} from './protobuf.ts'

// Field numbers and enum values: https://github.com/onnx/onnx/blob/v1.16.0/onnx/onnx.proto3

/** TensorProto.DataType. */
export const ElementType = {
  float: 1,
  uint8: 2,
  int8: 3,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
  float8e4m3fn: 17,
  uint4: 21,
  int4: 22,
} as const
export type ElementType = (typeof ElementType)[keyof typeof ElementType]

/** Bytes in another file in the folder of the model. */
export interface ExternalFile {
  readonly location: string
  readonly offset?: number
  readonly byteLength: number
}

/** Numbers in `float_data`, as some exporters write them in place of `raw_data`. */
export interface FloatData {
  readonly floatData: readonly number[]
}

export interface Initializer {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly number[]
  /** Little-endian elements, row by row. */
  readonly content: Uint8Array | Payload | ExternalFile | FloatData
}

export type Attribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly tensor: Initializer }
  | { readonly graph: Graph }

export interface Operation {
  readonly op: string
  /** The set of operators that has `op`. Default: that of ONNX. */
  readonly domain?: 'com.microsoft'
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes?: Readonly<Record<string, Attribute>>
}

/** An input or output of the graph; a dimension with a name may have any length. */
export interface Value {
  readonly name: string
  readonly type: ElementType
  /** Not stated by subgraphs. */
  readonly dims?: readonly (number | string)[]
}

export interface Graph {
  readonly name: string
  readonly operations: readonly Operation[]
  readonly initializers: readonly Initializer[]
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
}

/** The versions of the format and of the operators that a model uses. */
export interface OnnxVersions {
  readonly ir: number
  readonly opset: number
}

/** ONNX 1.12 (2022): every ONNX Runtime in use reads it. */
const COMMON_VERSIONS: OnnxVersions = { ir: 8, opset: 17 }

/** A ModelProto. */
export function encodeModel(graph: Graph, { ir, opset }: OnnxVersions = COMMON_VERSIONS): Message {
  return [
    ...int64Field(1, ir),
    ...stringField(2, 'vitest-model-cache test models'),
    ...messageField(8, [...stringField(1, ''), ...int64Field(2, opset)]),
    ...(usesMicrosoft(graph) ? messageField(8, [...stringField(1, 'com.microsoft'), ...int64Field(2, 1)]) : []),
    ...messageField(7, encodeGraph(graph)),
  ]
}

function usesMicrosoft({ operations }: Graph): boolean {
  const graphs = operations.flatMap(({ attributes = {} }) =>
    Object.values(attributes).flatMap((attribute) => ('graph' in attribute ? [attribute.graph] : [])),
  )
  return operations.some(({ domain }) => domain !== undefined) || graphs.some(usesMicrosoft)
}

function encodeGraph(graph: Graph): Message {
  return [
    ...graph.operations.flatMap((operation) => messageField(1, encodeNode(operation))),
    ...stringField(2, graph.name),
    ...graph.inputs.flatMap((value) => messageField(11, encodeValue(value))),
    ...graph.outputs.flatMap((value) => messageField(12, encodeValue(value))),
    ...graph.initializers.flatMap((initializer) => messageField(5, encodeTensor(initializer))),
  ]
}

function encodeNode({ op, domain, inputs, outputs, attributes = {} }: Operation): Message {
  return [
    ...inputs.flatMap((name) => stringField(1, name)),
    ...outputs.flatMap((name) => stringField(2, name)),
    ...stringField(3, `${op}:${outputs.join(',')}`),
    ...stringField(4, op),
    ...Object.entries(attributes).flatMap(([name, attribute]) => messageField(5, encodeAttribute(name, attribute))),
    ...(domain === undefined ? [] : stringField(7, domain)),
  ]
}

function encodeAttribute(name: string, attribute: Attribute): Message {
  return [...stringField(1, name), ...encodeAttributeValue(attribute)]
}

/** The value of an attribute and its AttributeProto.AttributeType. */
function encodeAttributeValue(attribute: Attribute): Message {
  if ('float' in attribute) return [...floatField(2, attribute.float), ...int64Field(20, 1)]
  if ('int' in attribute) return [...int64Field(3, attribute.int), ...int64Field(20, 2)]
  if ('tensor' in attribute) return [...messageField(5, encodeTensor(attribute.tensor)), ...int64Field(20, 4)]
  if ('graph' in attribute) return [...messageField(6, encodeGraph(attribute.graph)), ...int64Field(20, 5)]
  return [...int64sField(8, attribute.ints), ...int64Field(20, 7)]
}

function encodeTensor({ name, type, dims, content }: Initializer): Message {
  return [...int64sField(1, dims), ...int64Field(2, type), ...stringField(8, name), ...encodeContent(content)]
}

function encodeContent(content: Initializer['content']): Message {
  if ('floatData' in content) return floatsField(4, content.floatData)
  if (!('location' in content)) return bytesField(9, content)
  const entries = {
    location: content.location,
    offset: String(content.offset ?? 0),
    length: String(content.byteLength),
  }
  const EXTERNAL = 1
  return [
    ...Object.entries(entries).flatMap(([key, value]) =>
      messageField(13, [...stringField(1, key), ...stringField(2, value)]),
    ),
    ...int64Field(14, EXTERNAL),
  ]
}

function encodeValue({ name, type, dims }: Value): Message {
  const shape = (dims ?? []).flatMap((dim) =>
    messageField(1, typeof dim === 'number' ? int64Field(1, dim) : stringField(2, dim)),
  )
  const tensorType = [...int64Field(1, type), ...(dims ? messageField(2, shape) : [])]
  return [...stringField(1, name), ...messageField(2, messageField(1, tensorType))]
}
