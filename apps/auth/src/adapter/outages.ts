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
 * Runs `serve`, and throws what the database's absence threw in it even where Better Auth made an
 * answer of that: it says 401 for a session that it could not read, 422 for a user that it could
 * not write, and 200 for a sign-out that did not happen.
 *
 * @throws what `isDatabaseUnavailable` recognises
 */
export function orOutage<T>(serve: () => Promise<T>): Promise<T> {
  const request: Served = {}
  return requests.run(request, () => settle(request, serve))
}

/** Better Auth's database adapter, telling `orOutage` when the database is away. */
export function noticeOutages(createAdapter: DBAdapterInstance): DBAdapterInstance {
  return (options) => {
    const adapter = createAdapter(options)
    const transaction: DBAdapter['transaction'] = adapter.transaction
    noticeIn(adapter)
    // Better Auth's own error would have the transaction ask for a ROLLBACK that nobody answers.
    adapter.transaction = (work) =>
      run(() => transaction((inside) => settle(requests.getStore(), () => work(noticeIn(inside)))))
    return adapter
  }
}

/** In place: Better Auth finds what it keeps about an adapter by the object's identity. */
function noticeIn<A extends DBTransactionAdapter>(adapter: A): A {
  for (const name of QUERIES) {
    const query: unknown = adapter[name]
    if (typeof query !== 'function') continue
    Object.assign(adapter, {
      [name]: (...args: unknown[]) => run(async () => Reflect.apply(query, adapter, args)),
    })
  }
  return adapter
}

/** Once the database is away for a request, nothing else of the request waits for it. */
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

/** However it ended: an outage on the way is what happened. */
async function settle<T>(request: Served | undefined, work: () => Promise<T>): Promise<T> {
  const [ended] = await Promise.allSettled([work()])
  if (request?.outage) throw request.outage
  if (ended.status === 'rejected') throw ended.reason
  return ended.value
}
