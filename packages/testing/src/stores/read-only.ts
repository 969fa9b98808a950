import { Client } from 'pg'

/**
 * Makes a database refuse writes (SQLSTATE 25006), as a primary that was demoted does, and ends the
 * connections that it has. The database accepts writes again when the result is disposed of.
 */
export async function makeReadOnly(databaseUrl: string): Promise<AsyncDisposable> {
  await change(databaseUrl, 'set default_transaction_read_only = on')
  return {
    async [Symbol.asyncDispose]() {
      await change(databaseUrl, 'reset default_transaction_read_only')
    },
  }
}

async function change(databaseUrl: string, clause: string): Promise<void> {
  const name = new URL(databaseUrl).pathname.slice(1)
  const client = new Client(databaseUrl)
  await client.connect()
  try {
    await client.query('set default_transaction_read_only = off')
    await client.query(`alter database ${client.escapeIdentifier(name)} ${clause}`)
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = $1 and pid <> pg_backend_pid()`,
      [name],
    )
  } finally {
    await client.end()
  }
}
