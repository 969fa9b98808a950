import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { createDeadlines, setAwakeTimeout, withAwakeDeadline } from './index.ts'

/** Writes back each byte 20 ms after it came. */
const ECHO = `process.stdin.on('data', (data) => setTimeout(() => process.stdout.write(data), 20))
process.stdout.write('ready')`

/** Keeps the event loop from running, as a garbage collection or a limit of the processor does. */
function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

async function startEcho() {
  const child = spawn(process.execPath, ['-e', ECHO], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return {
    async ask() {
      child.stdin.write('x')
      const [answer]: unknown[] = await once(child.stdout, 'data')
      return String(answer)
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

test('an answer that came while the event loop was blocked for five deadlines is in time', async () => {
  using echo = await startEcho()
  const rounds: number[] = []
  const deadlines = createDeadlines({ ms: 100, onSweep: (late) => void rounds.push(late) })
  for (let i = 0; i < 3; i += 1) {
    const call = deadlines.run(echo.ask())
    // The write is sent before the block.
    await new Promise((resolve) => setImmediate(resolve))
    blockEventLoop(500)
    await expect(call).resolves.toBe('x')
  }
  expect(rounds).toEqual([])
})

test('an answer is in time in a process that runs 20 ms of each 100 ms, and no answer is late', async () => {
  using echo = await startEcho()
  const rounds: number[] = []
  const deadlines = createDeadlines({ ms: 150, onSweep: (late) => void rounds.push(late) })
  const pauses = setInterval(() => blockEventLoop(80), 100)
  try {
    for (let i = 0; i < 5; i += 1) await expect(deadlines.run(echo.ask())).resolves.toBe('x')
    expect(rounds).toEqual([])
    await expect(deadlines.run(new Promise(() => undefined))).rejects.toMatchObject({
      code: 'late',
    })
    expect(rounds).toEqual([1])
  } finally {
    clearInterval(pauses)
  }
})

test('a deadline does not end before its time, and ends while nothing else happens', async () => {
  const deadlines = createDeadlines({ ms: 100 })
  const startedMs = performance.now()
  await expect(deadlines.run(new Promise(() => undefined))).rejects.toThrow('within 100 ms')
  // A timer of Node may fire up to a millisecond early.
  expect(performance.now() - startedMs).toBeGreaterThan(98)
})

test('a signal is aborted with a TimeoutError when its work is late, and not while we were blocked', async () => {
  using echo = await startEcho()
  const answer = withAwakeDeadline(100, async (signal) => {
    const text = await echo.ask()
    return { text, isAborted: signal.aborted }
  })
  await new Promise((resolve) => setImmediate(resolve))
  blockEventLoop(500)
  expect(await answer).toEqual({ text: 'x', isAborted: false })
  const late = withAwakeDeadline(50, async (signal) => {
    await once(signal, 'abort')
    throw signal.reason
  })
  await expect(late).rejects.toMatchObject({ name: 'TimeoutError' })
})

test('a timeout of 0 ms runs after the sockets were read', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  setAwakeTimeout(resolve, 0)
  await promise
})
