// Prints the pids of the runners above this process, then `ended` when one of them has ended.
import { findRunners, whenRunnerEnds } from './ancestors.ts'

whenRunnerEnds(() => {
  process.stdout.write('ended\n')
  process.exit()
})
process.stdout.write(`${JSON.stringify([process.pid, ...findRunners().map(({ pid }) => pid)])}\n`)
// As the launcher does, it runs until it is told to stop.
setTimeout(() => process.exit(1), 60_000)
