import { toJsonSchema } from '@valibot/to-json-schema'
import { ReportSchema } from '../../src/report/schema.ts'

/** The JSON Schema of what is written to `report.outputFile`: with all its fields, as reports are written now. */
export function reportSchema() {
  // A date is checked by a function of ours, which no JSON Schema has.
  const schema = toJsonSchema(ReportSchema, { typeMode: 'output', errorMode: 'ignore' })
  return { ...schema, title: 'The report of one run of vitest-model-cache; times are milliseconds' }
}
