import { createAwakeClock, setAwakeTimeout } from '@repo/concurrency'
import type { Redis } from 'ioredis'
import { requireMethods } from '../bad-option.ts'

type Stream = Redis['stream']

/** The number of checks of the time to connect, so its end is detected within a quarter of it. */
const STEPS = 4

/**
 * Replaces a connection that is not established within `ms` of awake time, TLS included. The
 * `connectTimeout` of ioredis ends before the sockets are read, so a pause would cut a connection off.
 */
export function limitConnecting(client: Redis, ms = 500): void {
  requireMethods('client', client, ['on'])
  let cancel: (() => void) | undefined

  function watch(before: Stream | undefined, steps: number): void {
    cancel = setAwakeTimeout(() => {
      const stream: Stream | undefined = client.stream
      // Behind sentinels and in a cluster, the address is queried first. The time is for one socket.
      if (stream !== before) return watch(stream, 2)
      if (steps >= STEPS) stream?.destroy(timedOut('connect', `not connected within ${ms} ms`))
      watch(stream, steps + 1)
    }, ms / STEPS)
  }

  client.on('connecting', () => {
    cancel?.()
    watch(undefined, 1)
  })
  for (const event of ['connect', 'close', 'end'] as const) client.on(event, () => cancel?.())
}

/**
 * Replaces a connection on which commands are outstanding and no byte is received for `ms` of awake
 * time, at most 100 ms longer: the server hangs or is unreachable. Without commands, no timer runs.
 *
 * @returns a function to run after commands were written
 */
export function limitSilence(client: Redis, ms: number): () => void {
  const clock = createAwakeClock({ ms, onTick: check })
  let isWatching = false
  let bytesRead = 0
  let sinceMs = 0

  function note(bytes: number): void {
    bytesRead = bytes
    sinceMs = clock.now()
  }

  function check(): void {
    const { stream, commandQueue } = client
    if (!isWatching) return
    if (commandQueue.length === 0) return end()
    if (stream.bytesRead !== bytesRead) return note(stream.bytesRead)
    // The first period can begin before the command was written.
    if (clock.now() - sinceMs <= ms) return
    end()
    stream.destroy(timedOut('read', `no answer to any command within ${ms} ms`))
  }

  function begin(): void {
    if (isWatching || client.commandQueue.length === 0) return
    isWatching = true
    note(client.stream.bytesRead)
    clock.start()
  }

  function end(): void {
    isWatching = false
    clock.stop()
  }

  client.on('connect', begin)
  for (const event of ['close', 'end'] as const) client.on(event, end)
  return begin
}

function timedOut(syscall: string, message: string): Error {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT', syscall })
}
