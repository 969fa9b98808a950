import { promiseFreshStores } from './isolation.fixture.ts'

promiseFreshStores()
