import { featureSettings, type SettingName } from '@repo/api'
import { type Bus, cacheFigures, createCache } from '@repo/cache-broadcast'
import { type DatabaseConnection, schema } from '@repo/database'
import type { Log, Metrics } from '@repo/observability'
import type { Outbox } from '@repo/outbox'
import { inArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import { tell, type Told } from '../cluster/announce.ts'

/** Names all that web makes of settings. */
const SETTINGS_TAG = 'settings'

/**
 * In force where a later release stored a value that this one cannot read. Something was set then, so
 * the value that grants least is in force, and not the default.
 */
const WHEN_UNREADABLE: z.infer<typeof all> = { announcement: '', payments: 'closed' }

const all = z.object(featureSettings)
const NAMES = all.keyof().options
const stored = z.record(
  z.string(),
  z.object({ value: z.unknown(), updatedAt: z.string(), updatedBy: z.string() }),
)

type FeatureValues = z.infer<typeof all>

/** One setting as administrators see it; nobody has set one whose `updatedAt` is null. */
export interface Setting {
  name: SettingName
  value: FeatureValues[SettingName]
  default: FeatureValues[SettingName]
  description: string
  updatedAt: string | null
  /** The administrator's user id. */
  updatedBy: string | null
}

export interface FeatureSettings {
  /** What is in force now. A stored value that this release cannot read counts as the strictest one. */
  values(): Promise<FeatureValues>
  list(): Promise<Setting[]>
  /** Resolves when no instance goes by the old value any more, or says that some still may. */
  set<Name extends SettingName>(
    name: Name,
    value: FeatureValues[Name],
    by: string,
  ): Promise<{ setting: Setting; delivery: Told }>
}

/**
 * Settings that change on all instances at once: PostgreSQL holds them, every instance keeps them in
 * memory, and a change is told to all in the transaction that makes it.
 */
export function createFeatureSettings({
  bus,
  outbox,
  database: { db },
  log,
  metrics,
}: {
  bus: Bus
  outbox: Outbox
  database: DatabaseConnection
  log: Log
  metrics: Pick<Metrics, 'observe'>
}): FeatureSettings {
  const { setting } = schema
  const cache = createCache({
    bus,
    name: 'setting',
    parse: (value) => stored.parse(value),
    async load() {
      const rows = await db.select().from(setting).where(inArray(setting.name, NAMES))
      return Object.fromEntries(
        rows.map(({ name, value, updatedAt, updatedBy }) => [
          name,
          { value, updatedAt: updatedAt.toISOString(), updatedBy },
        ]),
      )
    },
  })

  metrics.observe(cacheFigures(cache))

  async function list(): Promise<Setting[]> {
    const rows = (await cache.get('all')) ?? {}
    return NAMES.map((name) => {
      const row = rows[name]
      const check = featureSettings[name].safeParse(row?.value)
      const { description = '' } = featureSettings[name].meta() ?? {}
      return {
        name,
        value: check.success ? check.data : WHEN_UNREADABLE[name],
        default: featureSettings[name].parse(undefined),
        description,
        updatedAt: row?.updatedAt ?? null,
        updatedBy: row?.updatedBy ?? null,
      }
    })
  }

  return {
    async values() {
      const entries = (await list()).map(({ name, value }) => [name, value])
      return all.parse(Object.fromEntries(entries))
    },
    list,
    async set(name, value, by) {
      const row = { value, updatedBy: by, updatedAt: sql`now()` }
      await db.transaction(async (tx) => {
        await tx
          .insert(setting)
          .values({ name, ...row })
          .onConflictDoUpdate({ target: setting.name, set: row })
        await outbox.invalidate(tx, cache.name, 'all')
        await outbox.invalidateTag(tx, SETTINGS_TAG)
      })
      const delivery = await tell(log, async () => {
        // Gateways first: what web makes anew, it makes of what one of them answers.
        await cache.invalidate('all', { wait: 'everywhere' })
        return bus.invalidateTag(SETTINGS_TAG, { wait: 'everywhere' })
      })
      const changed = (await list()).find((each) => each.name === name)
      if (!changed) throw new TypeError(`there is no setting ${name}`)
      return { setting: changed, delivery }
    },
  }
}
