import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PreflightError } from './preflight.ts'
import { runningLauncher } from './processes.ts'
import { HOME, readState, ROOT, STATE, writeState } from './state.ts'
import { runOnce } from './supervise.ts'

/** All that a build of web depends on: its sources, what it imports, and the versions of the rest. */
const SOURCES = [
  'apps/web/{src,public}/**/*',
  'apps/web/{package.json,next.config.ts,postcss.config.*,tsconfig.json}',
  'packages/{cache-broadcast,service,redis}/src/**/*.ts',
  'pnpm-lock.yaml',
]
const WEB = join(ROOT, 'apps/web')
const STAMP = join(WEB, '.next/threefold.json')

/** Builds web when its sources, or the key that all replicas share, have changed since the last build. */
export async function buildWeb(env: Record<string, string>): Promise<'built' | 'unchanged'> {
  const sources = hashSources(env['NEXT_SERVER_ACTIONS_ENCRYPTION_KEY'] ?? '')
  const built = existsSync(join(WEB, '.next/BUILD_ID'))
  if (built && readState(STAMP) === sources) return 'unchanged'
  const other = STATE === HOME ? undefined : runningLauncher(HOME)
  if (other !== undefined) {
    throw new PreflightError(
      `web has changed and must be built, but the cluster of process ${other} serves the old build: stop it first`,
    )
  }
  await runOnce({
    name: 'web-build',
    args: [join(WEB, 'node_modules/next/dist/bin/next'), 'build'],
    // Next writes down where its handlers are as seen from here, and web looks from the same place.
    cwd: WEB,
    env: { ...env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
  })
  writeState(STAMP, sources)
  return 'built'
}

function hashSources(key: string): string {
  const hash = createHash('sha256').update(key)
  for (const file of SOURCES.flatMap((glob) => globSync(glob, { cwd: ROOT })).toSorted()) {
    const path = join(ROOT, file)
    if (statSync(path).isFile()) hash.update(file).update(readFileSync(path))
  }
  return hash.digest('hex')
}
