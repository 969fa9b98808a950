import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../../../..')

/** The packages of Debian that contain the programs. */
export type Package =
  | 'prometheus'
  | 'prometheus-alertmanager'
  | 'prometheus-blackbox-exporter'
  | 'prometheus-node-exporter'
  | 'prometheus-postgres-exporter'
  | 'prometheus-redis-exporter'

/**
 * The folder of the programs of these packages, downloaded from Debian if necessary; undefined where they are
 * unavailable: tests that need them are then skipped.
 *
 * @throws Error with CI=true, where Debian is available and the packages are not
 */
export async function findTools(...packages: Package[]): Promise<string | undefined> {
  const script = join(ROOT, 'infra/observability/tools.sh')
  const { stdout } = await run('bash', [script, join(ROOT, '.threefold/prometheus'), ...packages])
  return stdout.trim() || undefined
}
