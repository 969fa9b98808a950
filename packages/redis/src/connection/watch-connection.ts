import { setAwakeTimeout } from '@repo/concurrency'
import type { Redis } from 'ioredis'
import { requireMethods } from '../bad-option.ts'

type Stream = Redis['stream']

/** The number of checks in a period, so its end is detected within a quarter of it. */
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
 * time, at most a quarter longer: the server hangs or is unreachable.
 *
 * @returns a function to run after commands were written
 */
export function limitSilence(client: Redis, ms: number): () => void {
  let cancel: (() => void) | undefined

  function watch(bytesRead: number, silentSteps: number): void {
    cancel = setAwakeTimeout(() => {
      const { stream, commandQueue } = client
      if (commandQueue.length === 0) cancel = undefined
      else if (stream.bytesRead !== bytesRead) watch(stream.bytesRead, 0)
      else if (silentSteps + 1 < STEPS) watch(bytesRead, silentSteps + 1)
      else {
        cancel = undefined
        stream.destroy(timedOut('read', `no answer to any command within ${ms} ms`))
      }
    }, ms / STEPS)
  }

  function begin(): void {
    if (!cancel && client.commandQueue.length > 0) watch(client.stream.bytesRead, 0)
  }

  client.on('connect', begin)
  for (const event of ['close', 'end'] as const) {
    client.on(event, () => {
      cancel?.()
      cancel = undefined
    })
  }
  return begin
}

function timedOut(syscall: string, message: string): Error {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT', syscall })
}
