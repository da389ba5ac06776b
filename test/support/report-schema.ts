import { toJsonSchema } from '@valibot/to-json-schema'
import { ReportSchema } from '../../src/report/schema.ts'

/** The JSON Schema of the report file (`report.outputFile`), with all fields of the present version. */
export function reportSchema() {
  // Dates are checked by a custom function, which a JSON Schema can't express.
  const schema = toJsonSchema(ReportSchema, { typeMode: 'output', errorMode: 'ignore' })
  return { ...schema, title: 'The report of one run of vitest-model-cache; times are milliseconds' }
}
