import { expect, test } from '@playwright/test'
import { EDGE } from '../cluster.ts'
import { register, newPerson } from '../person.ts'
import { expectSpread } from '../spread.ts'

const REQUESTS = 300

for (const { path, apps } of [
  { path: '/api/me', apps: ['gateway'] },
  { path: '/api/auth/get-session', apps: ['gateway', 'auth'] },
  { path: '/api/payments', apps: ['gateway', 'payments'] },
  { path: '/sign-in', apps: ['web'] },
]) {
  test(`each instance of ${apps.join(' and ')} serves 20 to 47 % of ${REQUESTS} requests for ${path}`, async ({
    request,
  }) => {
    await register(request, newPerson())
    const served: string[] = []
    // Ten at a time, as a browser or a busy client does.
    for (let sent = 0; sent < REQUESTS; sent += 10) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => request.get(`${EDGE}${path}`, { maxRedirects: 0 })),
      )
      for (const answer of answers) {
        expect(answer.ok() || answer.status() === 307, `status ${answer.status()}`).toBe(true)
        served.push(answer.headers()['x-instance-id'] ?? '')
      }
    }
    expect(served).toHaveLength(REQUESTS)
    for (const app of apps) expectSpread(served, app)
  })
}
