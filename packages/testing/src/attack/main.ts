import { setTimeout as wait } from 'node:timers/promises'
/**
 * The attack checks against an edge: `node main.ts --front 10.0.0.2:8080 --kind haproxy`. This program takes the
 * place of the services behind it, on the ports of `--ports`. It needs no package, so a container of
 * plain Node.js runs it. Exit code 1: an attack succeeded.
 */
import { parseArgs } from 'node:util'
import { attackChecks } from './checks/index.ts'
import { startRecorder } from './recorder.ts'
import { runChecks } from './run-checks.ts'

const { values } = parseArgs({
  options: {
    front: { type: 'string', default: 'edge:8080' },
    kind: { type: 'string', default: 'haproxy' },
    ports: { type: 'string', default: '3001,3002,3003,3004' },
    host: { type: 'string', default: '0.0.0.0' },
    only: { type: 'string', default: '' },
    verbose: { type: 'boolean', default: false },
  },
})
const READY_WITHIN_MS = 30_000

async function isReady(origin: string): Promise<boolean> {
  try {
    const response = await fetch(`${origin}/api/auth/ready`)
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

const [host = '', port = ''] = values.front.split(':')
const kind = values.kind === 'nginx' || values.kind === 'haproxy' ? values.kind : 'embedded'
await using recorder = await startRecorder(values.ports.split(',').map(Number), values.host)
const giveUpAt = performance.now() + READY_WITHIN_MS
while (!(await isReady(`http://${values.front}`))) {
  if (performance.now() > giveUpAt) throw new Error(`${values.front} is not ready`)
  await wait(100)
}
const checks = attackChecks.filter(({ name }) => name.includes(values.only))
const outcomes = await runChecks(
  checks,
  { host, port: Number(port), front: 'edge', kind },
  recorder,
)
const broken = outcomes.filter(({ isBroken }) => isBroken)
for (const { name, result } of values.verbose ? outcomes : broken) {
  process.stdout.write(`${name}: ${result}\n`)
}
process.stdout.write(`${kind}: ${outcomes.length} attacks, ${broken.length} succeeded\n`)
if (broken.length > 0) process.exitCode = 1
