import { describe, expect, test, until, vi } from './index.ts'

describe('until', () => {
  test('until returns the first truthy value of its probe', async () => {
    let probes = 0
    expect(await until(() => (probes += 1) === 3 && `after ${probes}`)).toBe('after 3')
  })

  test('until calls a probe that threw again', async () => {
    const probe = vi.fn().mockRejectedValueOnce(new Error('not yet')).mockResolvedValue('now')
    expect(await until(probe)).toBe('now')
  })

  test('the error of until contains the last value', async () => {
    const waiting = until(() => ({ leader: null }).leader, { timeoutMs: 30, message: 'a leader' })
    await expect(waiting).rejects.toThrow('a leader: not within 30 ms. Last seen: null')
  })

  test('the error of until contains the last error', async () => {
    const failing = until(() => Promise.reject(new Error('ECONNREFUSED')), { timeoutMs: 30 })
    await expect(failing).rejects.toThrow('ECONNREFUSED')
  })

  test('until rejects after its time limit when its probe hangs', async () => {
    const hanging = until(() => new Promise<boolean>(() => undefined), { timeoutMs: 30 })
    await expect(hanging).rejects.toThrow('nothing, then a probe without an answer')
  })

  test('until uses a real clock under a fake one', async () => {
    vi.useFakeTimers()
    try {
      await expect(until(() => false, { timeoutMs: 30 })).rejects.toThrow('not within 30 ms')
    } finally {
      vi.useRealTimers()
    }
  })
})
