import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connectDatabase } from '@repo/database'
import { expect, test } from '@repo/testing'

const program = fileURLToPath(new URL('seed.ts', import.meta.url))
const run = promisify(execFile)

async function seed(url: string): Promise<{ code: unknown; stderr: string }> {
  const env = { ...process.env, DATABASE_URL: url, DEMO: 'false' }
  return run(process.execPath, [program], { env }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    ({ code, stderr }: { code: unknown; stderr: string }) => ({ code, stderr }),
  )
}

test.for([
  ['/abc', 'must begin with postgres://'],
  ['postgres://user:SECRET@host:99999/db', 'is not a URL with a port of at most 65535'],
  ['postgres://user:SECRET@host', 'names no database'],
] as const)('seed.ts refuses the DATABASE_URL %s with exit code 78', async ([url, reason]) => {
  const { code, stderr } = await seed(url)
  expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 78, lines: 2 })
  expect(stderr).toContain(`DATABASE_URL: ${reason}`)
  expect(stderr).not.toContain('SECRET')
})

test.for([
  ['postgres://user:5%SECRET@127.0.0.1:1/db', '127.0.0.1:1'],
  ['postgresql:///db?host=/nowhere', '/nowhere'],
  ['postgres://user:SECRET@/db?host=/nowhere', '/nowhere'],
] as const)('seed.ts prints the server of %s if it is unreachable', async ([url, host]) => {
  const { code, stderr } = await seed(url)
  expect(code).toBe(1)
  expect(stderr).toMatch(`DATABASE_URL: PostgreSQL at ${host} cannot be used`)
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(stderr).not.toContain('SECRET')
})

test('seed.ts accepts a password with a % sign', async ({ databaseUrl }) => {
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  await database.pool.query(`create role percent login superuser password '5%SECRET%'`)
  const url = Object.assign(new URL(databaseUrl), { username: 'percent', password: 'X' }).href
  const { code, stderr } = await seed(url.replace(':X@', ':5%SECRET%@'))
  await database.pool.query('reassign owned by percent to current_user')
  await database.pool.query('drop owned by percent; drop role percent')
  await database.close()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
