// fast-check, with the same cases in each run: what is red was made red by a change. `FUZZ_SEED=7` tries other cases, and
// `FUZZ_SEED=new` (`npm run soak`) new ones each time; what failed there is shown with its seed.

// biome-ignore lint/style/noRestrictedImports: the one place
import fc from 'fast-check'

const { FUZZ_SEED = '1' } = process.env
if (FUZZ_SEED !== 'new') fc.configureGlobal({ seed: Number(FUZZ_SEED) })

export default fc
