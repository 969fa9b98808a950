/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { migrateDatabase } from '@repo/database'
import { test as base } from '@repo/testing'
import type { SessionsOptions } from './index.ts'
import { closeInstance, type Joined, openInstance, type Stores } from './open.fixture.ts'

/** `test` with `join(stores, instance)`, which leaves after the test, on an empty schema. */
export const test = base
  .extend('join', async ({}, { onCleanup }) => {
    const joined: Joined[] = []
    onCleanup(async () => {
      for (const one of joined) await closeInstance(one)
    })
    return async (stores: Stores, instance: string, options: Partial<SessionsOptions> = {}) => {
      const one = await openInstance(stores, instance, options)
      joined.push(one)
      return one
    }
  })
  .extend('stores', async ({ databaseUrl, redisUrl }) => {
    await migrateDatabase({ url: databaseUrl })
    return { databaseUrl, redisUrl }
  })
