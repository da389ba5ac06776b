import { measure } from './measure.ts'
import { ROWS } from './rows.ts'
import { markdownOf, tableOf } from './table.ts'

// `npm run faults`: the table of docs/faults.md, from one run.
console.log(markdownOf(await tableOf(ROWS, await measure(ROWS))))
