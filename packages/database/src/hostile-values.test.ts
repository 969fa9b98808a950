import { expect, findRawErrors, findRawErrorsOfOptions, test } from '@repo/testing'
import {
  connectDatabase,
  DatabaseOptionError,
  isDatabaseUnavailable,
  migrateDatabase,
  openDatabase,
  poolSize,
  seedDemo,
} from './index.ts'

/** An outage is a result of a function that connects: some hostile values are names that may exist. */
const isCoded = (error: unknown) => error instanceof DatabaseOptionError

test('each function takes each hostile option, or refuses it by its name', async ({
  databaseUrl,
}) => {
  const times = { connectTimeoutMs: 500, deadlineMs: 500, busyDeadlineMs: 500 }
  const valid = {
    url: databaseUrl,
    name: 'hostile',
    poolSize: 2,
    minConnections: 1,
    isPooled: false,
    ...times,
  }
  const connect = (options: typeof valid) => connectDatabase(options).close()
  expect(await findRawErrorsOfOptions(valid, connect, { isCoded })).toEqual([])
  expect(await findRawErrors(connect, { isCoded })).toEqual([])
  const migration = { url: databaseUrl, waitMs: 0, connectTimeoutMs: 2_000, folder: '/' }
  const migrate = (options: typeof migration) => {
    const { folder, ...others } = options
    return migrateDatabase(folder === '/' ? others : options)
  }
  expect(await findRawErrorsOfOptions(migration, migrate, { isCoded })).toEqual([])
  const size = { connections: 30, instances: 3 }
  expect(await findRawErrorsOfOptions(size, poolSize, { isCoded })).toEqual([])
  expect(await findRawErrors(poolSize, { isCoded })).toEqual([])
})

test('the other functions refuse hostile arguments by their name, before they connect', async ({
  databaseUrl,
}) => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const env = {
    DATABASE_URL: databaseUrl,
    DATABASE_CONNECTIONS: 2,
    DATABASE_INSTANCES: 1,
    MIGRATE_ON_BOOT: true,
  }
  const functions = {
    isDatabaseUnavailable,
    migrateDatabase: (value: never) => migrateDatabase(value),
    openDatabase: (value: never) => openDatabase(value),
    env: (value: never) => openDatabase({ env: value, name: 'hostile', log }),
    log: (value: never) => openDatabase({ env, name: 'hostile', log: value }),
    db: (value: never) => seedDemo(value, { hashPassword: async () => 'hash' }),
  }
  for (const [name, call] of Object.entries(functions)) {
    expect(await findRawErrors(call, { isCoded }), name).toEqual([])
  }
})
