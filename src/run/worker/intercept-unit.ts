import process from 'node:process'
import type { UnitBridge } from '../../intercept/unit.ts'
import { foreignResponse } from '../../platform/originals.ts'
import type { Recorder } from '../../providers/recorder.ts'
import type { Preload } from '../preload.ts'
import type { WorkerSettings } from '../worker-settings.ts'
import { reachChildren } from './intercept.ts'

interface UnitInterception {
  preload: Preload
  settings: WorkerSettings
  global: typeof globalThis
  recorder: Recorder
  whichTest: () => string | undefined
}

/** Gives mocks to untouched code and refuses its requests to the Hub, in this worker and in the child processes that it starts. */
export function interceptUnit({ preload, settings, global, recorder, whichTest }: UnitInterception): void {
  // A Hub redirects plain http to https, so requests over plain http are refused too.
  const bases = [...new Set(settings.intercept.flatMap((base) => [base, base.replace(/^https:/, 'http:')]))]
  let opening: Promise<UnitBridge> | undefined
  const load = async () => {
    const { openUnit } = await preload.importAsIs(() => import('../../intercept/unit.ts'))
    const onMock = () => recorder.mocked()
    return openUnit({ bases, onMock, onRefused: (error) => recorder.refused(error, whichTest()) })
  }
  preload.installUnitBridge(bases, () => {
    opening ??= load()
    return opening
  })
  if (bases.length === 0) return
  preload.wrapFetch(global, foreignResponse(global))
  reachChildren({ mode: 'unit', bases })
  // There are no mocks for programs in other languages. With this variable, huggingface_hub (Python) sends no request and says that
  // it is offline.
  process.env.HF_HUB_OFFLINE ??= '1'
}
