import { withModels } from './with-models.ts'

export default withModels('edge-runtime')
