import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'

const fixture = join(import.meta.dirname, 'ancestors.fixture.ts')
const dir = mkdtempSync(join(tmpdir(), 'threefold runner '))
afterAll(() => rmSync(dir, { recursive: true }))

/** A script that runs its arguments as a child, as a package manager does. */
function createRunner(name: string): string {
  const file = join(dir, name)
  writeFileSync(
    file,
    `const [program, ...args] = process.argv.slice(2)
    require('node:child_process').spawn(program, args, { stdio: 'inherit' })`,
  )
  return file
}

/** Starts a command line, and reads what the fixture at its end prints. */
async function start(...command: string[]) {
  const [file = '', ...args] = command
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value = '[]' } = await lines.next()
  const [program = 0, ...runners]: number[] = JSON.parse(value)
  return { child, lines, program, runners }
}

const node = process.execPath
/** `; true` keeps the shell: without it, some shells become their last command. */
const shell = ['sh', '-c', '"$@"; true', 'sh']

test.for(['npx', 'npm-cli.js', 'pnpm.cjs'])(
  'a program detects the end of the %s that started it, through the shell between them',
  async (name) => {
    const { child, lines, runners } = await start(node, createRunner(name), ...shell, node, fixture)
    expect(runners).toHaveLength(2)
    expect(runners.at(-1)).toBe(child.pid)
    child.kill('SIGKILL')
    expect(await lines.next()).toEqual({ done: false, value: 'ended' })
  },
)

test('the shell or the script above a package manager may end', async () => {
  const runner = createRunner('npx')
  const above = createRunner('my-script.js')
  const { child, runners, program } = await start(
    ...[node, above, ...shell, node, runner, node, fixture],
  )
  expect(runners).toHaveLength(1)
  expect(runners).not.toContain(child.pid)
  process.kill(program)
  await once(child, 'exit')
})

test('a program that no package manager started has no runner above it', async () => {
  const { child, runners, program } = await start(...shell, node, fixture)
  expect(runners).toEqual([])
  process.kill(program)
  await once(child, 'exit')
})
