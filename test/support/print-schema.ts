// `npm run schema`, when the schema has changed.
import { reportSchema } from './report-schema.ts'

console.log(JSON.stringify(reportSchema(), null, 2))
