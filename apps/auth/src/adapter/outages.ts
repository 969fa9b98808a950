import { AsyncLocalStorage } from 'node:async_hooks'
import { isDatabaseUnavailable } from '@repo/database'
import type { DBAdapter, DBAdapterInstance, DBTransactionAdapter } from 'better-auth'

const QUERIES = [
  'create',
  'findOne',
  'findMany',
  'count',
  'update',
  'updateMany',
  'delete',
  'deleteMany',
  'consumeOne',
  'incrementOne',
] as const

interface Served {
  outage?: Error
}

const requests = new AsyncLocalStorage<Served>()

/**
 * Runs `serve`, and throws the error of an unavailable database even if Better Auth returned a
 * response: it answers 401 for a session that it could not read, 422 for a user that it could not
 * write, and 200 for a sign-out that did not happen.
 *
 * @throws an error for which `isDatabaseUnavailable` is true
 */
export function orOutage<T>(serve: () => Promise<T>): Promise<T> {
  const request: Served = {}
  return requests.run(request, () => settle(request, serve))
}

/** Returns Better Auth's database adapter, which records outages for `orOutage`. */
export function recordOutages(createAdapter: DBAdapterInstance): DBAdapterInstance {
  return (options) => {
    const adapter = createAdapter(options)
    const transaction: DBAdapter['transaction'] = adapter.transaction
    recordIn(adapter)
    // The error of Better Auth would make the transaction send a ROLLBACK to an unavailable server.
    adapter.transaction = (work) =>
      run(() => transaction((inside) => settle(requests.getStore(), () => work(recordIn(inside)))))
    return adapter
  }
}

/** Changes the adapter in place, because Better Auth compares its identity. */
function recordIn<A extends DBTransactionAdapter>(adapter: A): A {
  for (const name of QUERIES) {
    const query: unknown = adapter[name]
    if (typeof query !== 'function') continue
    Object.assign(adapter, {
      [name]: (...args: unknown[]) => run(async () => Reflect.apply(query, adapter, args)),
    })
  }
  return adapter
}

/** Fails at once if the database was unavailable earlier in the request. */
async function run<T>(query: () => Promise<T>): Promise<T> {
  const request = requests.getStore()
  if (request?.outage) throw request.outage
  try {
    return await query()
  } catch (error) {
    if (request && error instanceof Error && isDatabaseUnavailable(error)) request.outage = error
    throw error
  }
}

/** Throws the outage of the request, also if the work succeeded. */
async function settle<T>(request: Served | undefined, work: () => Promise<T>): Promise<T> {
  const [ended] = await Promise.allSettled([work()])
  if (request?.outage) throw request.outage
  if (ended.status === 'rejected') throw ended.reason
  return ended.value
}
