import { describe, expect, test, until, vi } from './index.ts'

describe('until', () => {
  test('answers with the first truthy value', async () => {
    let probes = 0
    expect(await until(() => (probes += 1) === 3 && `after ${probes}`)).toBe('after 3')
  })

  test('asks a probe that threw again', async () => {
    const probe = vi.fn().mockRejectedValueOnce(new Error('not yet')).mockResolvedValue('now')
    expect(await until(probe)).toBe('now')
  })

  test('says what it last saw', async () => {
    const waiting = until(() => ({ leader: null }).leader, { timeoutMs: 30, message: 'a leader' })
    await expect(waiting).rejects.toThrow('a leader: not within 30 ms. Last seen: null')
  })

  test('says which error it last saw', async () => {
    const failing = until(() => Promise.reject(new Error('ECONNREFUSED')), { timeoutMs: 30 })
    await expect(failing).rejects.toThrow('ECONNREFUSED')
  })

  test('gives up on a probe that hangs', async () => {
    const hanging = until(() => new Promise<boolean>(() => undefined), { timeoutMs: 30 })
    await expect(hanging).rejects.toThrow('nothing, then a probe without an answer')
  })

  test('works under a fake clock', async () => {
    vi.useFakeTimers()
    try {
      await expect(until(() => false, { timeoutMs: 30 })).rejects.toThrow('not within 30 ms')
    } finally {
      vi.useRealTimers()
    }
  })
})
