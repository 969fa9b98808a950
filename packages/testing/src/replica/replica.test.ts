import { describe, expect, startReplicas, test, until } from '../index.ts'
import { isAlive } from './is-alive.fixture.ts'

const counter = new URL('counter.fixture.ts', import.meta.url)
const http = new URL('http.fixture.ts', import.meta.url)
const crash = new URL('crash.fixture.ts', import.meta.url)

describe('replicas', () => {
  let earlier: number[] = []

  test('three replicas are three processes, each with its state and its id', async ({
    replicas,
  }) => {
    const three = await replicas(3, { program: counter })
    earlier = three.map(({ pid }) => pid)
    expect(new Set([...earlier, process.pid]).size).toBe(4)
    await three[0]!.call('increment', 2)
    const answers = await Promise.all(three.map((replica) => replica.call('increment', 1)))
    expect(answers).toEqual([
      { count: 3, instance: 'replica-1' },
      { count: 1, instance: 'replica-2' },
      { count: 1, instance: 'replica-3' },
    ])
  })

  test('replicas have ended after the test that started them', () => {
    expect(earlier).toHaveLength(3)
    expect(earlier.filter(isAlive)).toEqual([])
  })

  test('a replica is ready when its ready path answers 200, and exits with its exit code', async ({
    replicas,
  }) => {
    const [replica] = await replicas(1, { program: http, ready: '/readyz' })
    expect(await (await fetch(replica!.url)).text()).toBe('replica-1')
    expect(await replica!.terminate()).toBe(7)
  })

  test('a replica that exits before it is ready rejects the start with its output', async () => {
    const starting = startReplicas(2, { program: crash })
    await expect(starting).rejects.toThrow(/exited before it was ready.*REDIS_URL is missing/s)
  })

  test('a stopped replica answers its calls after it continues', async ({ replicas }) => {
    const [stopped, other] = await replicas(2, { program: counter })
    const order: string[] = []
    stopped!.stop()
    const late = stopped!.call('increment', 1).then(() => order.push('stopped'))
    for (let call = 0; call < 20; call += 1) await other!.call('increment', 1)
    order.push('other')
    stopped!.continue()
    await late
    expect(order).toEqual(['other', 'stopped'])
  })

  test('an error of a replica has its name and code in the test', async ({ replicas }) => {
    const [replica] = await replicas(1, { program: counter })
    const failure = { name: 'RangeError', message: 'out of luck', code: 'ELUCK' }
    await expect(replica!.call('fail')).rejects.toMatchObject(failure)
    await expect(replica!.call('missing')).rejects.toThrow('no method missing')
  })

  test('the calls in flight fail when their replica is killed', async ({ replicas }) => {
    const [replica] = await replicas(1, { program: counter })
    const hanging = expect(replica!.call('hang')).rejects.toThrow('replica-1 exited')
    expect(await replica!.kill()).toEqual({ code: null, signal: 'SIGKILL' })
    await hanging
    await expect(replica!.call('increment', 1)).rejects.toThrow('replica-1 cannot be called')
  })

  test('the output of a replica is available to the test', async ({ replicas }) => {
    const [replica] = await replicas(1, { program: counter })
    await replica!.call('say', 'one\ntwo')
    expect(await until(() => replica!.lines().length === 2 && replica!.lines())).toEqual([
      'one',
      'two',
    ])
  })
})
