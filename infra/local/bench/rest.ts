/**
 * `node infra/local/bench/rest.ts [--after SECONDS] [--for SECONDS] [--json]` measures the CPU time and
 * the wake-ups of the cluster of this checkout at rest, by process. The cluster must run (`pnpm start`),
 * and nothing else may use the machine. The source is /proc, so this needs Linux.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { processTree } from '@repo/embedded'
import { readState, STATE } from '../src/state/state.ts'

/** CPU time is counted in hundredths of a second: USER_HZ of Linux. */
const TICKS_PER_SECOND = 100

interface Usage {
  cpuSeconds: number
  /** The number of times that a thread waited for an event. */
  wakeUps: number
}

const { values } = parseArgs({
  options: {
    after: { type: 'string', default: '0' },
    for: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
})

await pause(Number(values.after) * 1_000)
const seconds = Number(values.for)
const members = await findMembers()
const before = new Map([...members.keys()].map((pid) => [pid, usageOf(pid)]))
await pause(seconds * 1_000)

const rows = new Map<string, { cores: number; wakeUpsPerSecond: number }>()
for (const [pid, name] of members) {
  const [first, last] = [before.get(pid), usageOf(pid)]
  if (!first || !last) continue
  const row = rows.get(name) ?? { cores: 0, wakeUpsPerSecond: 0 }
  row.cores += (last.cpuSeconds - first.cpuSeconds) / seconds
  row.wakeUpsPerSecond += (last.wakeUps - first.wakeUps) / seconds
  rows.set(name, row)
}
const sum = [...rows.values()].reduce((left, right) => ({
  cores: left.cores + right.cores,
  wakeUpsPerSecond: left.wakeUpsPerSecond + right.wakeUpsPerSecond,
}))
rows.set('all', sum)

if (values.json) console.log(JSON.stringify(Object.fromEntries(rows)))
else {
  console.log('| process | CPU, % of a core | wake-ups/s |\n| --- | --- | --- |')
  for (const [name, { cores, wakeUpsPerSecond }] of rows) {
    console.log(`| ${name} | ${(cores * 100).toFixed(2)} | ${wakeUpsPerSecond.toFixed(0)} |`)
  }
}

/** The processes of the cluster by pid. A process without a name of its own has that of its parent. */
async function findMembers(): Promise<Map<number, string>> {
  const entries = readState(join(STATE, 'processes.json'))
  if (!Array.isArray(entries) || entries.length === 0) {
    throw new Error('no cluster of this checkout runs: start it with `pnpm start`')
  }
  const named = new Map<number, string>()
  // The launcher is the first entry, so that its descendants with a name replace its name.
  for (const { name, pid } of entries) {
    for (const each of await processTree(Number(pid))) named.set(each, String(name))
  }
  return named
}

function usageOf(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
    const wakeUps = readdirSync(`/proc/${pid}/task`).reduce((waits, thread) => {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
      return waits + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0)
    }, 0)
    return { cpuSeconds, wakeUps }
  } catch {
    return undefined // The process or its thread has ended.
  }
}
