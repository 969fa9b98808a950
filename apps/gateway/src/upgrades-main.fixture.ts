import { bootGateway } from './upgrades.fixture.ts'

await bootGateway()
