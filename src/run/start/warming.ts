import type { Manifest } from '../../cache/context/manifest.ts'
import type { Progress } from '../../cache/context/progress.ts'
import type { BegunModel, WarmResult } from '../../cache/warm.ts'
import { messageOf } from '../../model/errors.ts'
import { describeModel, type Model, modelKey, modelLabel, selectedKey } from '../../model/model.ts'
import { linkedController, originals } from '../../platform/originals.ts'
import { progressLines } from '../../report/progress-lines.ts'
import type { WarmedModel, WarmUpFailure } from '../../report/report.ts'
import { useKey } from '../history.ts'
import type { Project } from '../project.ts'
import type { Session, WarmUp } from '../session.ts'
import { untilGivenUp } from './give-up.ts'

/** Warms models of a project, and adds each to the record of the warm-up when it has arrived. */
export class Warming {
  /** The arrivals that are awaited, in the order of the downloads. */
  readonly #arrivals = new Map<string, { model: Model; arrival: Promise<void> }>()
  #results: WarmResult[] = []
  readonly #begunAt = new Map<string, number>()
  readonly #declared: ReadonlySet<string>
  #replaced: Model[]
  readonly #abort = linkedController().controller
  /** For the downloads of models that nobody declared. */
  readonly #undeclared: ReturnType<typeof untilGivenUp>
  readonly #show: (progress: Progress) => void
  /** Called after each arrival. */
  onArrival: (key: string) => Promise<void> = async () => undefined

  constructor(
    readonly session: Session,
    readonly project: Project,
    private record: WarmUp,
    patienceMs?: number,
  ) {
    const { models } = project.options
    const keys = new Set(project.warmed?.map(selectedKey))
    this.#declared = new Set(models.map(selectedKey))
    // The declared models for which earlier uses are warmed at most. If the present commit lacks a file of such a use, the model is
    // warmed as it is declared.
    this.#replaced = models.filter((model) => !keys.has(selectedKey(model)))
    this.#show = progressLines((line) => session.output.print(line))
    const { signal } = this.#abort
    const onGivenUp = () => this.#tellSilence()
    this.#undeclared = untilGivenUp(project.cache.context, { signal, onGivenUp, patienceMs })
  }

  /** The record of this warm-up. In watch mode, each run has one of its own. */
  get recordOfRun(): WarmUp {
    const { warmUps } = this.session
    if (warmUps.includes(this.record)) return this.record
    this.record = { ...this.record, ms: 0, models: [], failures: [], predicted: undefined, prefetch: undefined }
    warmUps.push(this.record)
    return this.record
  }

  /** The keys (`selectedKey`) of the models that have not arrived. */
  get onTheWay(): string[] {
    return [...this.#arrivals.keys()]
  }

  /** The names of these models, each once. */
  get namesOnTheWay(): string[] {
    return [...new Set([...this.#arrivals.values()].map(({ model }) => modelLabel(model)))]
  }

  /** Resolves when all models were looked up on disk, and the others are on the way. */
  async begin(models: Model[]): Promise<void> {
    const begun = await this.project.cache.beginWarm(models, this.#options)
    const onDisk: Promise<WarmResult>[] = []
    for (const each of begun) {
      if (!each.isArriving) onDisk.push(each.result)
      else this.#arrivals.set(selectedKey(each.model), { model: each.model, arrival: this.#arrive(each) })
    }
    if (this.#arrivals.size === 0) this.#undeclared.end()
    await this.#take(await Promise.all(onDisk))
  }

  /** Resolves when `isEnough`, or when no model is on the way. */
  async waitUntil(isEnough: (onTheWay: string[]) => boolean): Promise<void> {
    while (this.#arrivals.size > 0 && !this.#abort.signal.aborted && !isEnough(this.onTheWay))
      await Promise.race([...this.#arrivals.values()].map(({ arrival }) => arrival))
  }

  /** True if a model with this name has arrived. */
  hasArrived(name: string): boolean {
    return this.#results.some((result) => 'cached' in result && modelLabel(result.model) === name)
  }

  /** The manifest of the models that have arrived. */
  manifest(): Promise<Manifest> {
    const { cache, warmed = [] } = this.project
    const placeOf = ({ model }: WarmResult) => warmed.indexOf(model)
    return cache.manifest(this.#results.toSorted((a, b) => placeOf(a) - placeOf(b)))
  }

  /** The models that have arrived count as cached before. A download that failed is tried again. */
  beginNextRun(): void {
    this.#results = this.#results.flatMap((result) =>
      'cached' in result ? [{ ...result, cached: { ...result.cached, tier: 'disk' as const } }] : [],
    )
  }

  /** Ends the downloads. What came of a file is kept. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('The run is over.'))
    this.#undeclared.end()
    await Promise.all([...this.#arrivals.values()].map(({ arrival }) => arrival))
  }

  get #options() {
    const onProgress = (progress: Progress) => {
      if (!this.#begunAt.has(progress.model)) this.#begunAt.set(progress.model, originals.now())
      this.#show(progress)
    }
    const { signal } = this.#abort
    const signalOf = (model: Model) => (this.#isDeclared(model) ? signal : this.#undeclared.signal)
    return { onProgress, signal, signalOf }
  }

  /** True if this model is declared, whichever of its files. */
  #isDeclared(model: Model): boolean {
    return this.project.options.models.some((declared) => modelKey(declared) === modelKey(model))
  }

  #tellSilence(): void {
    const { endpoint } = this.project.cache.context.options.hub
    const models = [...this.#arrivals.values()].map(({ model }) => model)
    const names = [...new Set(models.filter((model) => !this.#isDeclared(model)).map(modelLabel))]
    if (names.length === 0) return
    const begin = `Tests do not wait for models that are not declared: ${names.join(', ')}.`
    this.session.output.note(`The Hub at ${endpoint} does not answer. ${begin}`)
  }

  /** Never rejects. A model whose download was ended with the run stays on the way. */
  async #arrive({ model, result }: BegunModel): Promise<void> {
    const key = selectedKey(model)
    try {
      await this.#take(await this.#orAsDeclared(await result))
    } catch (error) {
      if (this.#abort.signal.aborted) return
      const isGivenUp = this.#undeclared.signal.aborted && !this.#isDeclared(model)
      if (!isGivenUp) this.session.output.note(`Warm-up failed: ${messageOf(error)}`)
    }
    this.#arrivals.delete(key)
    if (this.#arrivals.size === 0) this.#undeclared.end()
    await this.onArrival(key)
  }

  async #orAsDeclared(result: WarmResult): Promise<WarmResult[]> {
    if (!('error' in result) || result.error.code !== 'FILE_NOT_FOUND') return [result]
    const isMeant = (model: Model) => modelKey(model) === modelKey(result.model)
    const declared = this.#replaced.filter(isMeant)
    this.#replaced = this.#replaced.filter((model) => !isMeant(model))
    return [result, ...(declared.length > 0 ? await this.project.cache.warm(declared, this.#options) : [])]
  }

  /** True for a model that is neither declared, nor was used before. */
  #isNamedOnly(model: Model): boolean {
    const { named, history } = this.project
    const key = selectedKey(model)
    const isNamed = [...(named?.values() ?? [])].some(({ models }) => models.some((each) => selectedKey(each) === key))
    const wasUsed = [...(history?.values() ?? [])].some(({ uses }) => uses.some((use) => useKey(use) === key))
    return isNamed && !wasUsed && !this.#declared.has(key)
  }

  async #take(results: WarmResult[]): Promise<void> {
    const { session, project } = this
    const { cache, options } = project
    // What only a source names may need the token of a test, or no test asks for it. So its failure is no answer to a test.
    this.#results.push(...results.filter((result) => 'cached' in result || !this.#isNamedOnly(result.model)))
    const isDeclared = ({ model }: WarmResult) => this.#declared.has(selectedKey(model))
    // Failures of undeclared models are not shown: perhaps no test uses these models any more. A test that requests one gets the error.
    const failures = results.filter(isDeclared).flatMap(failureOf)
    // If a report is shown, it names each failure.
    if (!session.hasReporter || options.report === false)
      for (const { message } of failures) session.output.note(`The warm-up failed: ${message}`)
    await cache.claim(...results.flatMap((result) => ('cached' in result ? [result.cached] : [])))
    const warmed = results.flatMap((result) => warmedModel(result, this.#begunAt, isDeclared(result)))
    if (failures.length + warmed.length === 0) return
    this.recordOfRun.failures.push(...failures)
    this.recordOfRun.models.push(...warmed)
  }
}

function failureOf(result: WarmResult): WarmUpFailure[] {
  if (!('error' in result)) return []
  const { model, error } = result
  return [{ repo: model.repo, model: describeModel(model), code: error.code, message: error.message }]
}

/** The part of the report about a warmed model. Empty for a model that was on disk already. */
function warmedModel(result: WarmResult, begunAt: Map<string, number>, isDeclared: boolean): WarmedModel[] {
  if (!('cached' in result) || result.cached.tier === 'disk') return []
  const { repo, revision, commit, tier, files, downloadMs, downloadedBytes, adoptedBytes, repaired } = result.cached
  const { restoreMs, restoredBytes, unpackedBytes } = result.cached
  const shape = { files: [...files], repaired: [...repaired], at: begunAt.get(modelLabel(result.model)), isDeclared }
  const amounts = { downloadMs, downloadedBytes, restoreMs, restoredBytes, unpackedBytes, adoptedBytes }
  return [{ repo, revision, commit, tier, ...amounts, ...shape }]
}
