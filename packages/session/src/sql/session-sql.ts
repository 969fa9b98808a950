import { readFileSync } from 'node:fs'
import { z } from 'zod'

const FILES = [
  'credential-versions',
  'admit-session',
  'end-session',
  'end-api-key',
  'last-administrator',
]
const BREAKPOINT = '--> statement-breakpoint'

/** The functions and triggers of sessions and API keys as they must be in the database, in an order that runs. */
export const SESSION_SQL: readonly string[] = FILES.flatMap((name) =>
  readFileSync(new URL(`${name}.sql`, import.meta.url), 'utf8')
    .split(BREAKPOINT)
    .map((statement) => statement.trim()),
)

/** A connection on which a transaction has begun. */
interface Transaction {
  query(text: string): Promise<{ rows: unknown[] }>
}

const definitions = z.array(z.object({ name: z.string(), definition: z.string() }))

/** The triggers of the tables of users, sessions and API keys, and every function, by their names. */
const DEFINITIONS = `
  select 'trigger ' || quote_ident(tgname) || ' on ' || tgrelid::regclass as name,
      pg_get_triggerdef(pg_trigger.oid) as definition
    from pg_trigger where not tgisinternal
      and tgrelid in
        ('session'::regclass, 'account'::regclass, '"user"'::regclass, 'api_key'::regclass)
  union all
  select 'function ' || oid::regprocedure, pg_get_functiondef(oid)
    from pg_proc where pronamespace = current_schema()::regnamespace and prokind = 'f'
      and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')`

async function readDefinitions(transaction: Transaction): Promise<Map<string, string>> {
  const { rows } = await transaction.query(DEFINITIONS)
  return new Map(definitions.parse(rows).map(({ name, definition }) => [name, definition]))
}

/**
 * Returns the statements that make a migrated database equal to `wanted`, and none when it is equal. A
 * statement is returned when it changes a definition. A trigger that no statement creates is dropped.
 * The transaction is rolled back to where it was.
 */
export async function findChanges(
  transaction: Transaction,
  wanted: readonly string[] = SESSION_SQL,
): Promise<string[]> {
  await transaction.query('savepoint session_sql')
  const changes: string[] = []
  let before = await readDefinitions(transaction)
  const triggers = [...before.keys()].filter((name) => name.startsWith('trigger '))
  for (const statement of wanted) {
    await transaction.query(statement)
    const after = await readDefinitions(transaction)
    if (!areEqual(before, after)) changes.push(statement)
    before = after
  }
  for (const trigger of triggers) await transaction.query(`drop ${trigger}`)
  for (const statement of wanted) await transaction.query(statement)
  const created = await readDefinitions(transaction)
  await transaction.query('rollback to savepoint session_sql')
  const extra = triggers.filter((trigger) => !created.has(trigger))
  return [...changes, ...extra.map((trigger) => `drop ${trigger};`)]
}

function areEqual(a: Map<string, string>, b: Map<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, definition]) => b.get(name) === definition)
}
