import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from '@repo/testing'
import { pnpmCommand } from './create-service.ts'

const ROOT = join(import.meta.dirname, '../../../..')
const ORIGIN = 'http://localhost:8080'
const SECRET = 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-'

// On the file system of the checkout: pnpm links the packages from its store instead of copying them.
mkdirSync(join(ROOT, '.threefold'), { recursive: true })
const copy = mkdtempSync(join(ROOT, '.threefold/new-service-'))
afterAll(() => rmSync(copy, { recursive: true, force: true }))

const isRepository =
  spawnSync('git', ['ls-files', '--error-unmatch', 'package.json'], { cwd: ROOT }).status === 0

/** The files of the working tree as they are now. */
function copyRepository(): void {
  const { stdout } = spawnSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  )
  for (const file of new Set(stdout.split('\0'))) {
    if (!file || !existsSync(join(ROOT, file))) continue
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    copyFileSync(join(ROOT, file), join(copy, file))
  }
}

/** Runs a program in the copy to its end. Asynchronous, so that fixtures of other tests are served. */
async function run(file: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, PATH: `${join(copy, 'node_modules/.bin')}:${process.env['PATH']}` }
  const child = spawn(file, args, { cwd: copy, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  }
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect(code, `${file} ${args.join(' ')}\n${output}`).toBe(0)
  return output
}

function pnpm(...args: string[]): Promise<string> {
  const [file = '', ...command] = pnpmCommand()
  return run(file, ...command, ...args)
}

const programOf = (app: string) => join(copy, 'apps', app, 'src/main.ts')

test.skipIf(!isRepository)(
  '`pnpm new service orders` in a copy of the repository creates a service that passes its checks and tests, and whose three instances serve requests behind the gateway',
  { timeout: 400_000 },
  async ({ databaseUrl, redisUrl, replicas }) => {
    copyRepository()
    // The ignore rules of the checkout, which leave this folder out, end at a repository.
    await run('git', 'init', '--quiet')
    await pnpm('install', '--offline', '--frozen-lockfile')
    const output = await pnpm('new', 'service', 'orders', '--offline')
    expect(output.match(/^ {2}\[x\] /gm)).toHaveLength(7)

    await pnpm('install', '--offline', '--frozen-lockfile')
    await pnpm('check:generated')
    await pnpm('check:format')
    await pnpm('check:layers')
    await run('knip', '--workspace', 'apps/orders')
    await run('node', 'infra/checks/src/main.ts', 'language', '--package', 'orders')
    await run('tsc', '-p', 'apps/orders/tsconfig.json', '--noEmit')
    await run('tsc', '-p', 'apps/gateway/tsconfig.json', '--noEmit')
    await run(
      'oxlint',
      'apps/orders',
      'apps/gateway/src/upstreams',
      'infra/services',
      'packages/api',
    )
    await run('vitest', 'run', 'apps/orders', 'infra/services/src/generate', 'infra/deploy')

    const env = {
      HOST: '127.0.0.1',
      DATABASE_URL: databaseUrl,
      REDIS_URL: redisUrl,
      AUTH_SECRET: SECRET,
      INTERNAL_SECRET: SECRET,
      ORIGIN,
      DRAIN_MS: '0',
    }
    const start = (app: string, count: number, settings: Record<string, string> = {}) =>
      replicas(count, { program: programOf(app), env: { ...env, ...settings }, ready: '/readyz' })
    // The first instance migrates the database.
    const orders = await start('orders', 3)
    const [auth] = await start('auth', 1, { INSTANCE_ID: 'auth-1' })
    const [gateway] = await start('gateway', 1, {
      INSTANCE_ID: 'gateway-1',
      AUTH_URLS: auth!.url,
      PAYMENTS_URLS: auth!.url,
      ORDERS_URLS: orders.map(({ url }) => url).join(','),
    })

    const headers = { 'content-type': 'application/json', origin: ORIGIN }
    const signUp = await fetch(`${gateway!.url}/api/auth/sign-up/email`, {
      method: 'POST',
      headers,
      body: JSON.stringify({
        name: 'Ada',
        email: `${randomUUID()}@threefold.test`,
        password: 'three-of-everything',
      }),
    })
    expect(signUp.status).toBe(200)
    const cookie = signUp.headers
      .getSetCookie()
      .map((each) => each.split(';', 1)[0])
      .join('; ')
    const path = `/api/orders/${randomUUID()}`
    expect((await fetch(`${gateway!.url}${path}`)).status).toBe(401)
    const put = () =>
      fetch(`${gateway!.url}${path}`, {
        method: 'PUT',
        headers: { ...headers, cookie },
        body: JSON.stringify({ text: 'once' }),
      })
    const responses = await Promise.all(Array.from({ length: 30 }, put))
    const statuses = responses.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(1)
    expect(statuses.filter((status) => status === 200)).toHaveLength(29)
    const instances = new Set(responses.map((each) => each.headers.get('x-instance-id')))
    expect(instances).toEqual(
      new Set(['gateway-1, replica-1', 'gateway-1, replica-2', 'gateway-1, replica-3']),
    )
    for (const instance of [...orders, auth!, gateway!]) expect(await instance.terminate()).toBe(0)
  },
)
