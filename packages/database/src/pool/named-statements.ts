import { randomUUID } from 'node:crypto'
import { escapeIdentifier, type PoolClient } from 'pg'

/**
 * Decides if statements are sent by name. A pooler in transaction mode runs each transaction on
 * another connection of the server. It must then prepare missing named statements itself (PgBouncer:
 * `max_prepared_statements`). Otherwise statements are sent without names, and planned each time.
 */
export function createNamedStatements(options: { isDetected: boolean }) {
  let isSupported = options.isDetected ? undefined : true

  return {
    isSupported: () => isSupported === true,
    /** Sends the connection's statements without names unless they are supported. */
    observe(client: PoolClient): void {
      if (isSupported) return
      const query: (...args: unknown[]) => unknown = client.query.bind(client)
      Object.assign(client, {
        query: (config: unknown, ...rest: unknown[]) =>
          query(isSupported ? config : unnamed(config), ...rest),
      })
    },
    /**
     * Checks once. A pooler hides the process number of the server. A pooler that prepares statements
     * itself gives them other names.
     */
    async detect(client: PoolClient): Promise<void> {
      if (isSupported !== undefined) return
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
      if ('processID' in client && client.processID === rows[0]?.pid) isSupported = true
      else isSupported ??= await isPreparedByPooler(client)
    },
  }
}

const PROBE = 'threefold_probe_'

async function isPreparedByPooler(client: PoolClient): Promise<boolean> {
  const name = `${PROBE}${randomUUID()}`
  await client.query('begin')
  await client.query({ name, text: 'select 1' })
  const { rows } = await client.query<{ name: string }>({
    text: 'select name from pg_prepared_statements where name = $1',
    values: [name],
  })
  // PgBouncer itself would respond to this for a name that it gave to the statement.
  if (rows.length > 0) await client.query(`deallocate ${escapeIdentifier(name)}`)
  await client.query('commit')
  return rows.length === 0
}

function unnamed(config: unknown): unknown {
  if (typeof config !== 'object' || config === null || !('name' in config)) return config
  if ('submit' in config || String(config.name).startsWith(PROBE)) return config
  return { ...config, name: undefined }
}
