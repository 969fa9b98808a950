import { openSync } from 'node:fs'
import { join } from 'node:path'
import { createLineOutput, createLog, type Log } from '@repo/observability'
import { STATE } from '../state/state.ts'

/**
 * Opens the log of the launcher, so that `pnpm logs` shows which processes ended and were restarted. It
 * has the format of the instances. A full disk does not end the launcher.
 */
export function openLauncherLog(folder = join(STATE, 'logs')): Log {
  const destination = createLineOutput({ fd: openSync(join(folder, 'launcher.log'), 'a') })
  return createLog({ app: 'launcher', instance: 'launcher', version: '', destination })
}
