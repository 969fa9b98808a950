import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import { EDGE, IS_IN_CONTAINERS, readCluster } from '../cluster.ts'
import { administrator, newPerson, register } from '../person.ts'

const PROGRAM = join(import.meta.dirname, '../../infra/observability/src/monitor/main.ts')

/** Runs `pnpm monitor` on the cluster. */
function monitor(
  email: string,
  password: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, MONITOR_EMAIL: email, MONITOR_PASSWORD: password }
  return new Promise((resolve) => {
    const child = execFile('node', [PROGRAM, EDGE, '--json'], { env }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    )
  })
}

test('the monitor of an administrator reads the figures of the cluster and the health of every instance', async () => {
  await expect(async () => {
    const { code, stdout, stderr } = await monitor(administrator.email, administrator.password)
    const { crossed, verdicts } = JSON.parse(stdout || `{"error": ${JSON.stringify(stderr)}}`)
    expect([code, crossed], stdout).toEqual([0, 0])
    const values = new Map<string, string>(
      verdicts.map(({ figure, value }: { figure: string; value: string }) => [figure, value]),
    )
    expect(values.get('source of the figures')).toBe('cluster')
    expect(values.get('cache backend')).toBe('redis')
    // The addresses of instances in containers are not reachable from here: the registry has their state.
    const state = IS_IN_CONTAINERS ? 'ready' : 'healthy'
    for (const { id } of readCluster().instances) expect(values.get(id)).toBe(state)
  }).toPass({ timeout: 30_000 })
})

test('the monitor of a user without rights ends with exit code 2 and one line', async ({
  request,
}) => {
  const person = newPerson()
  await register(request, person)
  const { code, stdout } = await monitor(person.email, person.password)
  expect([code, JSON.parse(stdout)]).toMatchObject([
    2,
    { error: `${person.email} is not an administrator of ${EDGE} (403)` },
  ])
})
