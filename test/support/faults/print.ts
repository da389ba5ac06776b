import { measure } from './measure.ts'
import { ROWS } from './rows.ts'
import { markdownOf, tableOf } from './table.ts'

// `npm run faults` measures and prints the table of docs/faults.md.
console.log(markdownOf(await tableOf(ROWS, await measure(ROWS))))
