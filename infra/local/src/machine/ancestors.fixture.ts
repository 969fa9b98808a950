// Prints the pids of the runners above this process, then `ended` when one of them has ended.
import { findRunners, whenRunnerEnds } from './ancestors.ts'

whenRunnerEnds(() => {
  process.stdout.write('ended\n')
  process.exit()
})
process.stdout.write(`${JSON.stringify([process.pid, ...findRunners().map(({ pid }) => pid)])}\n`)
// Like the launcher, it runs until it receives a signal.
setTimeout(() => process.exit(1), 60_000)
