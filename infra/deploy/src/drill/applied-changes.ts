import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { underLoad } from '../load/under-load.ts'
import { readRelease, writeRelease } from '../release/release-file.ts'
import { findChanges } from '../stack/changes.ts'
import { containersOf } from '../stack/containers.ts'
import { docker } from '../stack/docker.ts'
import { COMPOSE_DIR } from '../stack/env.ts'
import { expectFlawless, verdict } from './verdicts.ts'

interface Drill {
  requests: number
}

/** Applies a new version of a secret that only payments reads, under load. */
export async function appliesSecret({ requests }: Drill): Promise<void> {
  const result = await underLoad('apply of a new secret', { requests }, async () => {
    await nextVersion('internal_secrets_accepted', await currentSecret('internal_secret'))
    await apply()
  })
  expectFlawless('apply of a new version of a secret loses nothing', result)
  verdict(
    'and it leaves no difference',
    (await findChanges()).length === 0,
    'compared with the files',
  )
}

/** Changes a setting of all apps under load, and changes it back. */
export async function appliesSetting({ requests }: Drill): Promise<void> {
  const before = readRelease()['LOG_LEVEL'] ?? 'info'
  const result = await underLoad('apply of LOG_LEVEL', { requests }, async () => {
    writeRelease({ LOG_LEVEL: before === 'warn' ? 'info' : 'warn' })
    await apply()
  })
  writeRelease({ LOG_LEVEL: before })
  await apply()
  expectFlawless('apply of a changed setting loses nothing', result)
}

/** Replaces a secret that two apps share, in the three steps of docs/operations.md. */
export async function rotates({ requests }: Drill): Promise<void> {
  const result = await underLoad('rotation of internal_secret', { requests }, async () => {
    const old = await currentSecret('internal_secret')
    const next = `${Date.now().toString(36)}-${'internal'.repeat(4)}`
    await nextVersion('internal_secrets_accepted', next)
    await apply()
    await nextVersion('internal_secret', next)
    await nextVersion('internal_secrets_accepted', old)
    await apply()
    await nextVersion('internal_secrets_accepted', '')
    await apply()
  })
  expectFlawless('a rotation of the secret between the apps loses nothing', result)
}

/** Runs the command as a process, which reads the files again. */
async function apply(): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../apply.ts')], {
    stdio: 'inherit',
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`apply: exit code ${String(code)}`)
}

async function nextVersion(name: string, value: string): Promise<void> {
  const script = join(COMPOSE_DIR, 'secrets.sh')
  const child = spawn(script, ['next', name, value], { stdio: ['ignore', 'ignore', 'inherit'] })
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`secrets.sh next ${name}: exit code ${String(code)}`)
}

/** Reads a secret as an instance does. */
async function currentSecret(name: string): Promise<string> {
  const [instance] = await containersOf('payments')
  if (!instance) throw new Error('payments does not run')
  return (await docker(['exec', instance.id, 'cat', `/run/secrets/${name}`])).trim()
}
