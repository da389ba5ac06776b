import { CHAIN, OPTIONS } from '../config/jest/option-keys.ts'
import { defineModels } from './file/define-models.ts'
import { modelsNotSetUp } from './file/not-set-up.ts'
import { noteEvent } from './file/note-event.ts'
import { type ServedFile, serveFile } from './file/serve-file.ts'
import type { EnvironmentClass, EnvironmentConfig, TestEvent, TestState } from './types.ts'

/** A test environment of Jest that gives `models` to the tests. The rest is as in the given class. */
export function withModels<Class extends abstract new (...args: never[]) => object>(Base: Class): Class
export function withModels(Base: EnvironmentClass): EnvironmentClass {
  return class extends Base {
    readonly #served: ServedFile | undefined

    constructor(...[config, context]: ConstructorParameters<EnvironmentClass>) {
      const served = serveFile(config, context.testPath)
      super(withoutOwn(config), context)
      this.#served = served
      if (served) served.giveTo(this.global)
      else defineModels(this.global, modelsNotSetUp)
    }

    override async setup(): Promise<void> {
      await super.setup()
      await this.#served?.begins()
    }

    override async teardown(): Promise<void> {
      this.#served?.end()
      await super.teardown()
    }

    override async handleTestEvent(event: TestEvent, state: TestState): Promise<void> {
      await super.handleTestEvent?.(event, state)
      if (this.#served) noteEvent(this.#served.worker, event, state)
    }
  }
}

/** Jest's environment `node` copies its options to the global object of the tests. */
function withoutOwn(config: EnvironmentConfig): EnvironmentConfig {
  const { [OPTIONS]: _, [CHAIN]: __, ...testEnvironmentOptions } = config.projectConfig.testEnvironmentOptions
  return { ...config, projectConfig: { ...config.projectConfig, testEnvironmentOptions } }
}
