import { describe, expect, type Replica, test, until } from '@repo/testing'
import { ask } from '../http.fixture.ts'
import { program, settingsFor } from '../process.fixture.ts'

/** The value of a series; undefined if it is absent. */
async function valueOf({ url }: Replica, series: string): Promise<number | undefined> {
  const { body } = await ask(`${url}/metrics`)
  const [name = '', labels = ''] = series.split('{')
  const line = body.split('\n').find((each) => each.startsWith(`${name}{${labels}`))
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')))
}

async function phasesOf(replica: Replica): Promise<Record<string, number | undefined>> {
  const phases = ['starting', 'ready', 'draining']
  const values = phases.map((phase) =>
    valueOf(replica, `threefold_instance_phase{phase="${phase}"`),
  )
  const read = await Promise.all(values)
  return Object.fromEntries(phases.map((phase, i) => [phase, read[i]]))
}

describe.concurrent('the figures of an instance', () => {
  test('exactly one phase is 1: starting, then ready, then draining', async ({
    replicas,
    redisUrl,
  }) => {
    const env = { ...settingsFor(redisUrl), START: 'when released', DRAIN_MS: '20000' }
    const [replica] = await replicas(1, { program, env, ready: '/livez' })
    expect(await phasesOf(replica!)).toEqual({ starting: 1, ready: 0, draining: 0 })
    expect(await valueOf(replica!, 'threefold_instance_boot_seconds')).toBe(0)
    await replica!.call('release', 'start')
    await until(async () => (await ask(`${replica!.url}/readyz`)).status === 200)
    expect(await phasesOf(replica!)).toEqual({ starting: 0, ready: 1, draining: 0 })
    expect(await valueOf(replica!, 'threefold_instance_boot_seconds')).toBeGreaterThan(0)

    void replica!.terminate()
    await until(() => replica!.output().includes('"event":"drain"'), { everyMs: 1 })
    // The instance accepts connections until the drain delay ends.
    expect(await phasesOf(replica!)).toEqual({ starting: 0, ready: 0, draining: 1 })
  })

  test('the build is named, and an instance with another shared setting has drift', async ({
    replicas,
    redisUrl,
  }) => {
    const env = settingsFor(redisUrl)
    const [replica] = await replicas(1, { program, env, ready: '/readyz' })
    const labels = `version="1.2.3",node="${process.version}"`
    expect(await valueOf(replica!, `threefold_build_info{${labels}`)).toBe(1)
    expect(await valueOf(replica!, 'threefold_config_drift')).toBe(0)
    const [other] = await replicas(1, {
      ...{ program, ready: '/readyz' },
      env: { ...env, MODE: 'another', INSTANCE_ID: 'replica-2' },
    })
    await until(async () => (await valueOf(other!, 'threefold_config_drift')) === 1)
  })
})
