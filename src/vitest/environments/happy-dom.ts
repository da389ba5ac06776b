import { withModels } from './with-models.ts'

export default withModels('happy-dom')
