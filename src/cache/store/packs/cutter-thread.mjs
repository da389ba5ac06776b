// A thread of `cut-file.ts`, which cuts one file. Plain JavaScript, because a thread has no loader for TypeScript.
import { parentPort, workerData } from 'node:worker_threads'
import { cutInSteps } from './file-cutter.mjs'

const steps = cutInSteps(workerData)
let step = steps.next()
while (!step.done) step = steps.next()
parentPort?.postMessage(step.value)
