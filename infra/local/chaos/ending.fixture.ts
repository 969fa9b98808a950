// A program with a running and a stopped process: ending.test.ts. It prints their pids as JSON.
import { spawn } from 'node:child_process'
import { endWithProgram, handleSignals, whenInterrupted } from './ending.ts'

const children = [1, 2].map(() =>
  endWithProgram(spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })),
)
const pids = children.map(({ pid = 0 }) => pid)
process.kill(pids[1] ?? 0, 'SIGSTOP')
handleSignals()
for (const name of ['first', 'second']) {
  whenInterrupted(async () => void process.stdout.write(`${name}\n`))
}
process.stdout.write(`${JSON.stringify(pids)}\n`)
setInterval(() => undefined, 1e6)
