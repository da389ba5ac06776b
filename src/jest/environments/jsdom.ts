import { withModels } from '../environment.ts'
import { jsdomEnvironment } from './of-jest.ts'

export default withModels(jsdomEnvironment())
