// `npx tsx test/support/print-schema.ts > src/report/report.schema.json`, when the schema has changed.
import { reportSchema } from './report-schema.ts'

console.log(JSON.stringify(reportSchema(), null, 2))
