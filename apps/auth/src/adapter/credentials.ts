import { AsyncLocalStorage } from 'node:async_hooks'
import { noteActor } from '@repo/observability'
import { refusedToActors } from '@repo/service'
import { ProblemError } from '@repo/service/hono'
import type { DBAdapterInstance, DBTransactionAdapter } from 'better-auth'
import { z } from 'zod'

/** The users and the session that a request has read. */
interface Observed {
  /** The credential version of each user, as the request first read it: before the hash. */
  versions: Map<string, string>
  /** The session that authorises the request. */
  actor?: { userId: string; sessionId: string }
  /** Whether the request is refused to an administrator who acts for another user. */
  isRefusedToActors: boolean
  isRefused: boolean
}

const requests = new AsyncLocalStorage<Observed>()

const user = z.object({ id: z.string(), credentialVersion: z.string() })
const session = z.object({
  id: z.string(),
  userId: z.string(),
  impersonatedBy: z.string().nullish(),
  user: z.unknown(),
})
const account = z.object({ credentialVersions: z.string() })
const versionsById = z.record(z.string(), z.string())
const sessionOwner = z.object({ userId: z.string(), impersonatedBy: z.string().nullish() })

/**
 * Runs `serve` so that the sessions and passwords which it writes rely on the credentials that it
 * verified. Hashing a password takes long, and the password, the role or a ban can change during
 * it. The database then refuses the write (`sessionRefusal`).
 *
 * @param isRefusedToActors whether an administrator who acts for another user may not send the request
 * @throws ProblemError 403 if such an administrator sent it
 */
export async function withCredentials<T>(
  isRefusedToActors: boolean,
  serve: () => Promise<T>,
): Promise<T> {
  const observed: Observed = { versions: new Map(), isRefusedToActors, isRefused: false }
  const [ended] = await Promise.allSettled([requests.run(observed, serve)])
  // Better Auth replaces an error of its adapter by another response.
  if (observed.isRefused) throw new ProblemError(refusedToActors)
  if (ended.status === 'rejected') throw ended.reason
  return ended.value
}

/** Returns Better Auth's database adapter, which records the rows for `withCredentials`. */
export function relyOnCredentials(createAdapter: DBAdapterInstance): DBAdapterInstance {
  return (options) => {
    const adapter = createAdapter(options)
    const { transaction } = adapter
    relyIn(adapter)
    adapter.transaction = (work) => transaction((inside) => work(relyIn(inside)))
    return adapter
  }
}

/** Changes the adapter in place, because Better Auth compares its identity. */
function relyIn<A extends DBTransactionAdapter>(adapter: A): A {
  const { findOne, create, update, updateMany } = adapter
  adapter.findOne = async <T>(query: Parameters<typeof findOne>[0]) => {
    const row = await findOne<T>(query)
    if (query.model === 'user') observeUser(row)
    if (query.model === 'session') observeSession(row)
    return row
  }
  adapter.create = async <T extends Record<string, unknown>, R = T>(
    query: Parameters<typeof create<T, R>>[0],
  ) => {
    const row = await create<T, R>({ ...query, data: { ...query.data, ...relied(query) } })
    if (query.model === 'user') observeUser(row)
    return row
  }
  adapter.update = async <T>(query: Parameters<typeof update>[0]) => {
    const written = { model: query.model, data: query.update }
    const row = await update<T>({ ...query, update: { ...query.update, ...relied(written) } })
    if (query.model === 'account') observePasswordChange(row)
    return row
  }
  adapter.updateMany = async (query) => {
    const written = { model: query.model, data: query.update }
    return updateMany({ ...query, update: { ...query.update, ...relied(written) } })
  }
  return adapter
}

function observeUser(row: unknown): void {
  const observed = requests.getStore()
  const { data } = user.safeParse(row)
  if (!observed || !data || observed.versions.has(data.id)) return
  observed.versions.set(data.id, data.credentialVersion)
}

function observeSession(row: unknown): void {
  const observed = requests.getStore()
  const { data } = session.safeParse(row)
  if (!observed || !data) return
  observeUser(data.user)
  observed.actor ??= { userId: data.userId, sessionId: data.id }
  if (!data.impersonatedBy) return
  noteActor({ id: data.impersonatedBy }, data.userId)
  if (!observed.isRefusedToActors) return
  observed.isRefused = true
  throw new ProblemError(refusedToActors)
}

/** Stores the new version that the database returns when the request itself changes a password. */
function observePasswordChange(row: unknown): void {
  const { data } = account.safeParse(row)
  const versions = versionsById.parse(JSON.parse(data?.credentialVersions ?? '{}'))
  for (const [id, version] of Object.entries(versions)) {
    requests.getStore()?.versions.set(id, version)
  }
}

/** The columns with the versions that a write relies on, which the database compares. */
function relied({ model, data }: { model: string; data: object }): Record<string, string> {
  const observed = requests.getStore()
  if (!observed) return {}
  const { versions, actor } = observed
  if (model === 'account' && 'password' in data) {
    return { credentialVersions: write(versions, actor ? [actor.userId] : [...versions.keys()]) }
  }
  if (model !== 'session' || !('token' in data) || !('userId' in data)) return {}
  const { userId, impersonatedBy } = sessionOwner.parse(data)
  const ids = actor ? [userId, actor.userId] : [userId]
  const credentialVersions = write(versions, ids)
  if (!impersonatedBy) return { credentialVersions }
  if (actor?.userId !== impersonatedBy) {
    throw new TypeError('an impersonation is not authorised by a session of its administrator')
  }
  return { credentialVersions, sourceSessionId: actor.sessionId }
}

function write(versions: Map<string, string>, ids: string[]): string {
  const entries = ids.map((id) => {
    const version = versions.get(id)
    if (version === undefined)
      throw new TypeError(`a write relies on user ${id}, which was not read`)
    return [id, version]
  })
  return JSON.stringify(Object.fromEntries(entries))
}
