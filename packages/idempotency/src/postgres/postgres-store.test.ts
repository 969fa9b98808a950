import { startPostgres } from '@repo/embedded'
import { afterAll, beforeAll } from '@repo/testing'
import { describeConformance } from '../conformance/conformance.ts'
import { openOnPostgres, prepare } from './open.fixture.ts'
import { postgresStore } from './postgres-store.ts'

let url = ''
let stop = async () => undefined as unknown

beforeAll(async () => {
  const postgres = await startPostgres()
  url = postgres.url
  stop = () => postgres.stop()
  await prepare(url)
})

afterAll(() => stop())

describeConformance(
  'PostgreSQL with rows',
  () => openOnPostgres(url, ({ db }) => postgresStore({ db })),
  { claims: 'leases', isShared: true, canForget: false, hasTransactions: true },
)

describeConformance(
  'PostgreSQL with locks',
  () => openOnPostgres(url, ({ db }) => postgresStore({ db, claim: 'lock' })),
  { claims: 'locks', isShared: true, canForget: false, hasTransactions: true },
)
