import type { Claim, IdempotencyStore } from '../store.ts'
import type { Reference } from './reference.fixture.ts'

interface Watch {
  readonly instance: number
  /** The claims that the instance holds, as far as it can know. */
  readonly claims: Set<Claim>
  readonly reference: () => Reference
}

/** Reports each call of a store and its outcome to the model. */
export function watch(
  store: IdempotencyStore,
  { instance, claims, reference }: Watch,
): IdempotencyStore {
  async function observe<T>(
    kind: Parameters<Reference['start']>[0],
    claim: Claim,
    call: () => Promise<T>,
    outcomeOf: (result: T) => string,
  ): Promise<T> {
    const model = reference()
    const started = model.start(kind, claim, instance)
    try {
      const result = await call()
      model.end(started, outcomeOf(result))
      return result
    } catch (error) {
      model.fail(started, { isUndone: error instanceof WorkError })
      throw error
    }
  }

  const transaction = store.transaction?.bind(store)
  return {
    ...store,
    begin: (claim, leaseMs) =>
      observe(
        'begin',
        claim,
        () => store.begin(claim, leaseMs),
        ({ outcome }) => {
          if (outcome === 'claimed') claims.add(claim)
          return outcome
        },
      ),
    complete(claim, record, ttlMs) {
      claims.delete(claim)
      const complete = () => store.complete(claim, record, ttlMs)
      return observe('complete', claim, complete, ({ outcome }) => outcome)
    },
    release(claim) {
      claims.delete(claim)
      return observe(
        'release',
        claim,
        () => store.release(claim),
        () => 'released',
      )
    },
    async renew(renewed, leaseMs) {
      const model = reference()
      const calls = renewed.map((claim) => model.start('renew', claim, instance))
      try {
        const lost = await store.renew(renewed, leaseMs)
        renewed.forEach((claim, i) => {
          const call = calls[i]
          if (call) model.end(call, lost.includes(claim) ? 'lost' : 'renewed')
        })
        return lost
      } catch (error) {
        for (const call of calls) model.fail(call)
        throw error
      }
    },
    ...(transaction && {
      transaction(claim, times, work) {
        claims.delete(claim)
        return observe(
          'transaction',
          claim,
          () =>
            transaction(claim, times, (tx) => {
              reference().lock(claim)
              return work(tx)
            }),
          ({ outcome }) => outcome,
        )
      },
    }),
  }
}

/** The failure of the work, which is no failure of a store. */
export class WorkError extends Error {
  override name = 'WorkError'
  readonly code = 'work'
}
