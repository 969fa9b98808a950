import { awakeMs, describe, expect, type Replica, test, until } from '@repo/testing'
import { type Answer, ask, keepAlive, open } from '../http.fixture.ts'
import { program, settingsFor } from '../process.fixture.ts'

/** A request that the instance holds until it is released. */
async function slowRequest(replica: Replica): Promise<{ answer: Promise<Answer> }> {
  const before = await replica.call<number>('slow')
  const answer = ask(`${replica.url}/slow`, { headers: { connection: 'keep-alive' } })
  await until(async () => (await replica.call<number>('slow')) > before)
  return { answer }
}

/** Sends SIGTERM and waits until the instance has received it. */
async function tellToStop(replica: Replica) {
  const ended = replica.terminate()
  await until(() => replica.output().includes('"event":"drain"'), { everyMs: 1 })
  const at = awakeMs()
  const drain = replica.lines().find((line) => line.includes('"event":"drain"')) ?? '{}'
  const { time }: { time?: string } = JSON.parse(drain)
  // The time is from the log, because this process can read it late.
  return { ended, at, beganAtMs: Date.parse(time ?? '') }
}

async function isRefused(url: string): Promise<boolean> {
  return ask(url).then(
    () => false,
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED',
  )
}

// These tests mostly wait, so they run at the same time.
describe.concurrent('an instance that is stopped', () => {
  test('after SIGTERM an instance is not ready, serves for DRAIN_MS with Connection: close, ends the requests in flight and exits 0', async ({
    replicas,
    redisUrl,
  }) => {
    const env = { ...settingsFor(redisUrl), DRAIN_MS: '1500' }
    const [replica] = await replicas(1, { program, env, ready: '/readyz' })
    const { url } = replica!
    const { answer } = await slowRequest(replica!)
    const { ended, beganAtMs, at } = await tellToStop(replica!)

    const ready = await ask(`${url}/readyz`)
    expect(ready.status).toBe(503)
    const agent = keepAlive()
    const served = await ask(`${url}/hello`, { agent })
    expect(served).toMatchObject({ status: 200, headers: { connection: 'close' } })
    expect((await ask(`${url}/health`)).status).toBe(503)
    expect(awakeMs() - at).toBeLessThan(1_500)

    await until(() => isRefused(`${url}/hello`))
    // Until then, a balancer that has not detected the drain must not be refused.
    expect(Date.now() - beganAtMs).toBeGreaterThan(1_490)
    await replica!.call('release', 'slow')
    expect(await answer).toMatchObject({
      status: 200,
      body: 'slow',
      headers: { connection: 'close' },
    })
    expect(await ended).toBe(0)
    const events = replica!.lines().map((line): { event?: string } => JSON.parse(line))
    expect(events.slice(-3)).toMatchObject([
      { event: 'request', path: '/slow', status: 200 },
      { event: 'closed' },
      { event: 'exit', outcome: 'drained' },
    ])
  })

  test('an instance exits 0 within 2 s although clients hold idle, silent and half-sent connections', async ({
    replicas,
    redisUrl,
  }) => {
    const env = settingsFor(redisUrl)
    const [replica] = await replicas(1, { program, env, ready: '/readyz' })
    const agent = keepAlive()
    const idle = await ask(`${replica!.url}/hello`, { agent })
    expect(idle.headers.connection).toBe('keep-alive')
    await open(replica!.url)
    const half = await open(replica!.url)
    half.write('GET / HTTP/1.1\r\nHost: a\r\n')
    const { ended, at } = await tellToStop(replica!)
    expect(await ended).toBe(0)
    expect(awakeMs() - at).toBeLessThan(2_000)
    agent.destroy()
  })

  test('an instance exits 1 at once at the second signal', async ({ replicas, redisUrl }) => {
    const env = { ...settingsFor(redisUrl), DRAIN_MS: '20000' }
    const [replica] = await replicas(1, { program, env, ready: '/readyz' })
    const { answer } = await slowRequest(replica!)
    const cut = answer.then(
      () => 'answered',
      (error: unknown) => String(error),
    )
    const { at } = await tellToStop(replica!)
    expect(await replica!.kill('SIGINT')).toEqual({ code: 1, signal: null })
    expect(awakeMs() - at).toBeLessThan(1_000)
    expect(await cut).toBe('Error: socket hang up')
  })

  test('an instance exits 1 within 5 s when a pool does not close', async ({
    replicas,
    redisUrl,
  }) => {
    const env = { ...settingsFor(redisUrl), DRAIN_MS: '0', CLOSE: 'never' }
    const [replica] = await replicas(1, { program, env, ready: '/readyz' })
    const { ended, at } = await tellToStop(replica!)
    expect(await ended).toBe(1)
    expect(awakeMs() - at).toBeLessThan(5_000)
    expect(replica!.output()).toContain('"outcome":"not closed"')
  })

  test('an instance exits 0 within 2 s while Redis hangs', async ({ replicas, ownValkey }) => {
    const env = { ...settingsFor(ownValkey.url), DRAIN_MS: '0' }
    const [replica] = await replicas(1, { program, env, ready: '/readyz' })
    await ownValkey.pause()
    const { ended, at } = await tellToStop(replica!)
    expect(await ended).toBe(0)
    expect(awakeMs() - at).toBeLessThan(2_000)
    ownValkey.resume()
  })
})
