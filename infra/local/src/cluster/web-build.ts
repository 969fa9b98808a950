import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PreflightError } from '../machine/preflight.ts'
import type { ProcessTable } from '../processes/process-table.ts'
import { runOnce } from '../processes/program.ts'
import { type Lock, tryLock } from '../state/lock.ts'
import { HOME, readState, ROOT, writeState } from '../state/state.ts'

/** Everything on which a build of web depends: sources, imported packages, and versions of the others. */
const SOURCES = [
  'apps/web/{src,public}/**/*',
  'apps/web/{package.json,next.config.ts,postcss.config.*,tsconfig.json}',
  'packages/{api,cache-broadcast,concurrency,observability,redis,service}/src/**/*.ts',
  'pnpm-lock.yaml',
]
const WEB = join(ROOT, 'apps/web')
const STAMP = join(WEB, '.next/threefold.json')
/** Each cluster of the checkout that serves the build has a shared lock; a build needs an exclusive one. */
const LOCK_FILE = join(HOME, 'web-build.lock')

/**
 * Builds web when its sources, or the key that all replicas share, have changed since the last build.
 * While the lock is held, no other cluster of this checkout replaces the build.
 *
 * @throws PreflightError when another cluster of this checkout serves the old build
 */
export async function buildWeb(
  env: Record<string, string>,
  {
    processes,
    describe,
  }: {
    processes: ProcessTable
    describe: (activity: string) => void
  },
): Promise<{ outcome: 'built' | 'unchanged'; lock: Lock }> {
  const sources = hashSources(env['NEXT_SERVER_ACTIONS_ENCRYPTION_KEY'] ?? '')
  const lock = lockBuild()
  if (isBuilt(sources)) return { outcome: 'unchanged', lock }
  lock.release()
  const alone = tryLock(LOCK_FILE)
  if (!alone) {
    throw new PreflightError(
      'web has changed and must be built, but another cluster of this checkout serves the old build, or builds: stop it first with `npx -y pnpm@12 stop`',
    )
  }
  describe('building, which takes about a minute')
  try {
    await runOnce(
      {
        name: 'web-build',
        args: [join(WEB, 'node_modules/next/dist/bin/next'), 'build'],
        // Next stores the paths of its handlers relative to this folder, and web starts in the same folder.
        cwd: WEB,
        env: { ...env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
      },
      processes,
    )
    writeState(STAMP, sources)
  } finally {
    alone.release()
  }
  return { outcome: 'built', lock: lockBuild() }
}

function isBuilt(sources: string): boolean {
  return existsSync(join(WEB, '.next/BUILD_ID')) && readState(STAMP) === sources
}

function lockBuild(): Lock {
  const lock = tryLock(LOCK_FILE, 'shared')
  if (lock) return lock
  throw new PreflightError(
    'another start of this checkout builds web at the moment: start again when it has finished',
  )
}

function hashSources(key: string): string {
  const hash = createHash('sha256').update(key)
  for (const file of SOURCES.flatMap((glob) => globSync(glob, { cwd: ROOT })).toSorted()) {
    const path = join(ROOT, file)
    if (statSync(path).isFile()) hash.update(file).update(readFileSync(path))
  }
  return hash.digest('hex')
}
