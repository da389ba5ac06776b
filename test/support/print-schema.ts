// `npm run schema` runs this after a change of the schema.
import { reportSchema } from './report-schema.ts'

console.log(JSON.stringify(reportSchema(), null, 2))
