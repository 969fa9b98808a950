/**
 * The instance processes of the bench: our cache and bus, their peers and the floors. WORKLOAD
 * selects their work; `hits.ts` and `store.ts` have the contenders of each workload.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { serveContenders } from '@repo/testing/bench'
import { hitContenders } from './hits.ts'
import { openBus } from './open-bus.ts'
import { storeContenders } from './store.ts'

/** Until the list of members is complete. */
const announced = () => pause(1_200)

const workload = process.env['WORKLOAD'] ?? ''

serveContenders({
  async barrier(context) {
    const { bus, close } = await openBus(context)
    async function run(i: number) {
      const { outcome } = await bus.emit('waited', i, { wait: 'everywhere' })
      if (outcome !== 'everywhere') throw new Error(`A barrier is ${outcome}`)
    }
    return { run, settle: announced, close }
  },
  ...(workload === 'hits' ? hitContenders(openBus) : storeContenders(workload, openBus)),
})
