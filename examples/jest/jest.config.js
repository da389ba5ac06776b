import { withModelCache } from 'vitest-model-cache/jest'

export default withModelCache({
  transform: { '\\.ts$': '@swc/jest' },
  // Loading a model takes longer than the 5 s of Jest on a busy machine.
  testTimeout: 30_000,
  modelCache: {
    models: ['Xenova/all-MiniLM-L6-v2', 'onnx-community/whisper-tiny.en'],
    report: { outputFile: 'model-cache-report.json' },
  },
})
