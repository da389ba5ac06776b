// fast-check with the same cases in each run, so that a test only fails because of a change. `FUZZ_SEED=7` runs other cases, and
// `FUZZ_SEED=new` (`npm run soak`) runs new cases each time; a failure is shown with its seed.

// biome-ignore lint/style/noRestrictedImports: all other files import it from here
import fc from 'fast-check'

const { FUZZ_SEED = '1' } = process.env
if (FUZZ_SEED !== 'new') fc.configureGlobal({ seed: Number(FUZZ_SEED) })

export default fc
