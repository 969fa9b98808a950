import type { MigrationMeta } from 'drizzle-orm/migrator'
import { type ClientBase, escapeIdentifier, type Pool } from 'pg'

/** The name that drizzle gives to its table of applied migrations. */
const TABLE = '__drizzle_migrations'
/** Longer than any of these queries takes on a busy server. The types of pg lack this option. */
const deadline = { query_timeout: 10_000 }

export interface History {
  /** The schema of the tables: the first one of `search_path` that exists. */
  schema: string
  /** The qualified name of the table of applied migrations; undefined in a new database. */
  table: string | undefined
  /** The times in the journal of the migrations that are applied. */
  applied: Set<number>
}

/**
 * Reads which migrations are applied. For tables in `public` the history is in the schema `drizzle`,
 * or in `public` where the role could not create that schema. For any other schema it is in that
 * schema, so that several deployments can share a database.
 *
 * @throws when `search_path` names no schema that exists
 */
export async function readHistory(client: ClientBase | Pool): Promise<History> {
  const found = await client.query<{ schema: string | null; path: string; at: string | null }>({
    text: `select current_schema() as schema, current_setting('search_path') as path,
             (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where c.relname = $1 and (n.nspname = current_schema()
                or n.nspname = 'drizzle' and current_schema() = 'public')
              order by n.nspname limit 1) as at`,
    values: [TABLE],
    ...deadline,
  })
  const { schema, path, at } = found.rows[0] ?? { schema: null, path: '', at: null }
  if (schema === null) {
    throw new Error(
      `search_path is ${path}: none of these schemas exists, or the role lacks USAGE on them`,
    )
  }
  if (at === null) return { schema, table: undefined, applied: new Set() }
  const table = qualified(at)
  const { rows } = await client.query<{ created_at: string }>({
    text: `select created_at from ${table}`,
    ...deadline,
  })
  return { schema, table, applied: new Set(rows.map(({ created_at }) => Number(created_at))) }
}

/** Creates the table of applied migrations, as drizzle creates it. Returns its qualified name. */
export async function createHistory(client: ClientBase, schema: string): Promise<string> {
  const { rows } = await client.query<{ exists: boolean; usable: boolean; creatable: boolean }>(
    `select exists (select from pg_namespace where nspname = 'drizzle') as exists,
       coalesce((select has_schema_privilege(oid, 'create, usage') from pg_namespace
         where nspname = 'drizzle'), false) as usable,
       has_database_privilege(current_database(), 'create') as creatable`,
  )
  const rights = rows[0]
  const isSeparate = schema === 'public' && (rights?.exists ? rights.usable : rights?.creatable)
  if (isSeparate && !rights?.exists) await client.query('create schema drizzle')
  const table = qualified(isSeparate ? 'drizzle' : schema)
  await client.query(
    `create table ${table} (id serial primary key, hash text not null, created_at bigint)`,
  )
  return table
}

/** Records a migration as applied. */
export async function recordMigration(
  client: ClientBase,
  table: string,
  { hash, folderMillis }: MigrationMeta,
): Promise<void> {
  await client.query(`insert into ${table} (hash, created_at) values ($1, $2)`, [
    hash,
    folderMillis,
  ])
}

function qualified(schema: string): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(TABLE)}`
}
