import { expect, test } from '@playwright/test'
import { EDGE } from '../cluster.ts'
import { countConnections, grantedConnections } from '../connections.ts'
import { register, newPerson } from '../person.ts'

const REQUESTS = 300
const AT_ONCE = 50

test(`${REQUESTS} requests, ${AT_ONCE} at a time, open at most the granted number of database connections`, async ({
  request,
}) => {
  await register(request, newPerson())
  const seen: number[] = []
  const failed: number[] = []
  for (let sent = 0; sent < REQUESTS; sent += AT_ONCE) {
    const burst = Promise.all(
      Array.from({ length: AT_ONCE }, () => request.get(`${EDGE}/api/payments`)),
    )
    seen.push(await countConnections())
    for (const answer of await burst) if (!answer.ok()) failed.push(answer.status())
  }
  expect(failed).toEqual([])
  expect(Math.max(...seen), `of ${seen.join(', ')}`).toBeLessThanOrEqual(grantedConnections())
})
