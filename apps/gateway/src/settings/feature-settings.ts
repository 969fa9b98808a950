import { featureSettings, type SettingName } from '@repo/api'
import { type Bus, cacheFigures, createCache } from '@repo/cache-broadcast'
import { type DatabaseConnection, schema } from '@repo/database'
import type { Log, Metrics } from '@repo/observability'
import type { Outbox } from '@repo/outbox'
import { inArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import { announceChange, type ChangeDelivery } from '../cluster/announce.ts'

/** The tag of everything that web renders from settings. */
const SETTINGS_TAG = 'settings'

/**
 * The values in force. If a later release stored a value that this one cannot read, the strictest value
 * is in force and not the default, because an administrator has set the value.
 */
const inForce = z.object({
  announcement: featureSettings.announcement.catch(''),
  payments: featureSettings.payments.catch('closed'),
})

export const settingName = z.object(featureSettings).keyof()
const NAMES = settingName.options
const stored = z.record(
  z.string(),
  z.object({ value: z.unknown(), updatedAt: z.string(), updatedBy: z.string() }),
)

type FeatureValues = z.infer<typeof inForce>
type Rows = z.infer<typeof stored>

/** One setting as administrators see it; `updatedAt` is null while it has its default. */
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
  /**
   * The values in force. A stored value that this release cannot read is replaced by the strictest.
   */
  values(): Promise<FeatureValues>
  /** As `values`, but returns them at once if this instance has them in memory. */
  valuesNow(): FeatureValues | Promise<FeatureValues>
  list(): Promise<Setting[]>
  /** Resolves when no instance uses the old value, or with the instances that may still use it. */
  set<Name extends SettingName>(
    name: Name,
    value: FeatureValues[Name],
    by: string,
  ): Promise<{ setting: Setting; delivery: ChangeDelivery }>
}

/**
 * Settings that change on all instances at once. PostgreSQL stores them, every instance caches
 * them, and the transaction of a change also writes its message to the outbox.
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

  async function readRows(): Promise<Rows> {
    return (await cache.get('all')) ?? {}
  }

  async function list(): Promise<Setting[]> {
    const rows = await readRows()
    const values = valuesOf(rows)
    return NAMES.map((name) => {
      const row = rows[name]
      const { description = '' } = featureSettings[name].meta() ?? {}
      return {
        name,
        value: values[name],
        default: featureSettings[name].parse(undefined),
        description,
        updatedAt: row?.updatedAt ?? null,
        updatedBy: row?.updatedBy ?? null,
      }
    })
  }

  const parsed = new WeakMap<Rows, FeatureValues>()

  /** The values of rows in memory, which are parsed once. */
  function cachedValuesOf(rows: Rows): FeatureValues {
    const values = parsed.get(rows) ?? valuesOf(rows)
    parsed.set(rows, values)
    return values
  }

  const values = async () => valuesOf(await readRows())

  return {
    values,
    valuesNow() {
      const rows = cache.peek('all')
      return rows ? cachedValuesOf(rows) : values()
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
      const delivery = await announceChange(log, async () => {
        // Gateways first, because web renders again with the response of a gateway.
        await cache.invalidate('all', { wait: 'everywhere' })
        return bus.invalidateTag(SETTINGS_TAG, { wait: 'everywhere' })
      })
      const changed = (await list()).find((entry) => entry.name === name)
      if (!changed) throw new TypeError(`there is no setting ${name}`)
      return { setting: changed, delivery }
    },
  }
}

function valuesOf(rows: Rows): FeatureValues {
  return inForce.parse(Object.fromEntries(NAMES.map((name) => [name, rows[name]?.value])))
}
