import { createBatchQueue } from '@repo/concurrency'
import type { Delivery, DeliveryOptions, PutValue } from '../link.ts'
import type { Publish } from '../publish.ts'
import { put } from './scripts.ts'

/** Values of one script: more would occupy Redis for too long. */
const MOST_VALUES = 64
/** Text of one script, in units of UTF-16. A larger value is written alone. */
const MOST_TEXT = 65_536

interface Put {
  key: string
  value: PutValue
}

interface Waiting extends Put {
  resolve: (delivery: Delivery) => void
  reject: (error: unknown) => void
}

/**
 * Writes the values that callers set. Those of one tick are one script and one entry of the log, so
 * they have one version. Therefore no two of them have the same key: the second one of a key begins
 * the next script, and the order of the versions is the order of the calls.
 */
export function createPuts({
  cache,
  publish,
  nameOf,
}: {
  cache: string
  publish: Publish
  nameOf: (key: string) => string
}) {
  const { add, flush } = createBatchQueue<Waiting>({
    maxItems: MOST_VALUES,
    handle: (puts) => void write(puts),
  })
  const collected = { keys: new Set<string>(), text: 0 }

  async function write(puts: Waiting[]) {
    collected.keys.clear()
    collected.text = 0
    try {
      const delivery = await send(puts, undefined)
      for (const { resolve } of puts) resolve(delivery)
    } catch (error) {
      for (const { reject } of puts) reject(error)
    }
  }

  function send(puts: Put[], wait: 'everywhere' | undefined): Promise<Delivery> {
    const args: (string | number)[] = []
    for (const { value } of puts) args.push(value.kind, value.freshMs, value.lifeMs, value.rest)
    const keys = puts.map(({ key }) => key)
    const message = { kind: 'keys', cache, keys } as const
    return publish({ script: put, message, keys: keys.map(nameOf), args, wait })
  }

  return (key: string, value: PutValue, { wait }: DeliveryOptions): Promise<Delivery> => {
    if (wait) return send([{ key, value }], wait)
    if (collected.keys.has(key) || collected.text + value.rest.length > MOST_TEXT) flush()
    collected.keys.add(key)
    collected.text += value.rest.length
    return new Promise((resolve, reject) => add({ key, value, resolve, reject }))
  }
}
