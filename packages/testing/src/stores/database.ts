import { randomUUID } from 'node:crypto'
import { Client } from 'pg'

export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

/** A new, empty database on the server that `serverUrl` names. */
export async function createDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const url = new URL(serverUrl)
  url.pathname = name
  await execute(serverUrl, `create database ${name}`)
  return {
    url: url.href,
    // By force: a pool that a test left open would otherwise keep its database.
    drop: () => execute(serverUrl, `drop database ${name} with (force)`),
  }
}

async function execute(url: string, statement: string) {
  const client = new Client(url)
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
