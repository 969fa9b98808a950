import { existsSync } from 'node:fs'
import { describe, expect, test, until } from '../index.ts'
import { isAlive } from '../replica/is-alive.fixture.ts'
import type { Started } from './stores.fixture.ts'

const program = new URL('stores.fixture.ts', import.meta.url)

describe('when a process is killed by SIGKILL', () => {
  test.for([{ paused: false }, { paused: true }])(
    'the servers of a killed process end too, and their temporary data is deleted: %o',
    async (state, { replicas }) => {
      const [parent] = await replicas(1, { program })
      const { pids, dataDir } = await parent!.call<Started>('start', state)
      expect([...pids.map(isAlive), existsSync(dataDir)]).toEqual([true, true, true])
      await parent!.kill()
      await until(() => !pids.some(isAlive), { message: 'the end of the servers' })
      await until(() => !existsSync(dataDir), { message: 'the end of the data' })
    },
  )
})
