import { IdempotencyError } from '../errors.ts'
import type { Counts } from '../metrics.ts'
import type { RecordCodec } from '../record.ts'
import type { Claim, IdempotencyStore } from '../store.ts'

export interface Steps {
  run<T>(name: string, work: () => Promise<T>): Promise<T>
}

interface StepsContext {
  readonly store: IdempotencyStore
  readonly codec: RecordCodec
  readonly counts: Counts
}

/** The steps of one attempt. Those of earlier attempts are read once, before the first step. */
export function createSteps(claim: Claim, { store, codec, counts }: StepsContext): Steps {
  const running = new Map<string, Promise<string>>()
  let earlier: Promise<ReadonlyMap<string, string>> | undefined

  async function count<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      counts.storeErrors.step += 1
      throw error
    }
  }

  async function runOnce(name: string, work: () => Promise<unknown>): Promise<string> {
    earlier ??= count(store.readSteps(claim))
    let results
    try {
      results = await earlier
    } catch (error) {
      earlier = undefined
      throw error
    }
    const stored = results.get(name)
    if (stored !== undefined) return codec.decodeStep(claim.id, name, stored)
    const json = toJson(name, await work())
    await count(store.writeStep(claim, name, codec.encodeStep(claim.id, name, json)))
    return json
  }

  return {
    async run<T>(name: string, work: () => Promise<T>): Promise<T> {
      let json = running.get(name)
      if (!json) {
        json = runOnce(name, work)
        running.set(name, json)
        json.catch(() => running.delete(name))
      }
      // The first attempt receives the same value as a later one.
      return JSON.parse(await json)
    },
  }
}

function toJson(name: string, value: unknown): string {
  if (value === undefined) return 'null'
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch (cause) {
    throw new IdempotencyError('bad-argument', `the result of step ${name} has no JSON`, { cause })
  }
  if (json !== undefined) return json
  throw new IdempotencyError('bad-argument', `the result of step ${name} has no JSON`)
}
