import { withModels } from '../environment.ts'
import { nodeEnvironment } from './of-jest.ts'

export default withModels(nodeEnvironment())
