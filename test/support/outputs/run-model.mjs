// Loads an ONNX file with the onnxruntime-node of a folder, runs it for some inputs, and prints a hash of the outputs as JSON.
// Arguments: the folder, the file, and the inputs as JSON (see feeds.ts).
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** @typedef {import('./feeds.ts').FeedInput} FeedInput */

const [folder = '', file = '', feeds = ''] = process.argv.slice(2)
const { InferenceSession, Tensor } = createRequire(join(folder, 'package.json'))('onnxruntime-node')

try {
  const before = process.cpuUsage()
  const session = await InferenceSession.create(file, { logSeverityLevel: 3 })
  const { user, system } = process.cpuUsage(before)
  console.log(JSON.stringify({ hash: await hashOf(session, JSON.parse(feeds)), loadMs: (user + system) / 1000 }))
} catch (error) {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }))
}

/**
 * @param {import('onnxruntime-node').InferenceSession} session
 * @param {FeedInput[][]} feeds
 */
async function hashOf(session, feeds) {
  const hash = createHash('sha256')
  for (const feed of feeds) {
    const tensors = feed.map((input) => [input.name, new Tensor(input.type, valuesOf(input), input.dims)])
    const outputs = await session.run(Object.fromEntries(tensors))
    for (const [name, { type, dims, data }] of Object.entries(outputs).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!ArrayBuffer.isView(data)) throw new Error(`The output ${name} has texts`)
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      hash.update(`${name} ${type} ${dims} `).update(bytes)
    }
  }
  return hash.digest('hex')
}

/**
 * The same number everywhere, or numbers that depend on their place only.
 * @param {FeedInput} input
 */
function valuesOf({ type, dims, fill }) {
  const length = dims.reduce((product, dim) => product * dim, 1)
  const numbers = Array.from(
    { length },
    (_, index) => fill ?? (type === 'float32' ? Math.sin(index * 0.7) : index % 50),
  )
  if (type === 'int64') return BigInt64Array.from(numbers, BigInt)
  return type === 'bool' ? numbers.map(Boolean) : Float32Array.from(numbers)
}
