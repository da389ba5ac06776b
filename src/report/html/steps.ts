import type { Span } from '../types.ts'

/** The steps of a request in their order. The class of a step's colour is its key. */
export const STEPS: { step: keyof Span['steps']; name: string; meaning: string }[] = [
  { step: 'lookup', name: 'Lookup', meaning: 'find the model, in the cache or on the Hub' },
  { step: 'restore', name: 'Restore', meaning: 'unpack a packed model' },
  { step: 'download', name: 'Download', meaning: 'fetch its files from the Hub' },
  { step: 'load', name: 'Load', meaning: 'read its files and start its runtime' },
]
