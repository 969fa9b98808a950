// `pnpm stop`: stops the cluster of this checkout. Exit code 0: none runs now; 1: it could not be stopped.
import { rmSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { hasCode, isRunning, type ProcessIdentity } from '@repo/embedded'
import { LOCK_FILE } from './processes/ownership.ts'
import { clearTable, endOrphans, findLauncher } from './processes/process-table.ts'
import { tryLock } from './state/lock.ts'
import { CLUSTER_FILE, createStateDirs, STATE } from './state/state.ts'

/** An instance drains for at most 30 s, and there are four layers; the launcher itself ends sooner. */
const STOP_WITHIN_MS = 130_000
const REPORT_EVERY_MS = 5_000

const say = (line: string) => void process.stdout.write(`${line}\n`)

try {
  process.exitCode = await stop()
} catch (error) {
  process.stderr.write(`fault: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function stop(): Promise<number> {
  createStateDirs()
  const launcher = findLauncher()
  if (launcher) return stopLauncher(launcher)
  const lock = tryLock(LOCK_FILE)
  if (!lock) {
    process.stderr.write(
      `fault: a cluster starts or stops at the moment, or runs in another container: ${LOCK_FILE} is locked\n`,
    )
    return 1
  }
  // No launcher runs: only the processes of one that was killed may be left.
  const ended = await endOrphans()
  clearTable()
  rmSync(CLUSTER_FILE, { force: true })
  lock.release()
  if (ended.length === 0) say(`No cluster runs here (${STATE}).`)
  else say(`Stopped: its launcher was killed; ended ${ended.length} processes that were left.`)
  return 0
}

async function stopLauncher(launcher: ProcessIdentity): Promise<number> {
  say(`Stopping the cluster of process ${launcher.pid}: draining every instance, then the stores …`)
  try {
    process.kill(launcher.pid, 'SIGTERM')
    // Ctrl-Z stopped it, perhaps: then it receives the first signal after this one.
    process.kill(launcher.pid, 'SIGCONT')
  } catch (error) {
    if (hasCode(error, 'EPERM')) {
      throw new Error(`process ${launcher.pid} belongs to another user: stop it as that user`, {
        cause: error,
      })
    }
    if (!hasCode(error, 'ESRCH')) throw error
  }
  const began = performance.now()
  let reportAt = began + REPORT_EVERY_MS
  while (isRunning(launcher)) {
    const now = performance.now()
    if (now > began + STOP_WITHIN_MS) {
      process.stderr.write(
        `fault: process ${launcher.pid} still runs after ${STOP_WITHIN_MS / 1_000} s: end it with kill -9 ${launcher.pid}, then run this again\n`,
      )
      return 1
    }
    if (now > reportAt) {
      say(`  ${Math.round((now - began) / 1_000)} s so far`)
      reportAt += REPORT_EVERY_MS
    }
    await wait(50)
  }
  // The launcher may have been killed while it stopped.
  const lock = tryLock(LOCK_FILE)
  const left = lock ? await endOrphans() : []
  lock?.release()
  say(left.length > 0 ? `Stopped; ended ${left.length} processes that were left.` : 'Stopped.')
  return 0
}
