import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { readCluster } from './cluster.ts'

const run = promisify(execFile)

/** Runs a query that returns one row, in the stack in containers too. Each value is returned as text. */
export async function queryRow(sql: string): Promise<string[]> {
  const container = containerOfPostgres()
  if (container) {
    const psql = ['psql', '-U', 'threefold', '-d', 'threefold', '-Atc', sql]
    const { stdout } = await run('docker', ['exec', container, ...psql])
    return stdout.trim().split('|')
  }
  const client = new Client(readCluster().databaseUrl)
  await client.connect()
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
    return (rows[0] ?? []).map(String)
  } finally {
    await client.end()
  }
}

/** The container of PostgreSQL; undefined in the embedded cluster. */
export function containerOfPostgres(): string | undefined {
  return readCluster().stores.find(({ name }) => name === 'postgres')?.container
}
