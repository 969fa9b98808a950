import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startOrder } from '@repo/services'
import { ROOT } from './state/state.ts'

interface Setting {
  name: string
  description: string
  shared: boolean
  required: boolean
  example?: string
}

export const ENV_EXAMPLE = join(ROOT, '.env.example')

const HEADER = `# Every setting of every app, made from their schemas by \`pnpm env:example\`.
# \`pnpm start\` needs none of them: copy to .env only what you want to change.
# "required" is for those who run the apps themselves.
# Secrets may come from files instead: AUTH_SECRET_FILE=/run/secrets/auth.
`

/** The text of `.env.example`. Each app prints its settings (`node src/main.ts --settings`). */
export function renderEnvExample(): string {
  const settings = new Map<string, Setting & { apps: string[] }>()
  for (const app of startOrder) {
    for (const setting of settingsOf(app)) {
      const apps = settings.get(setting.name)?.apps ?? []
      settings.set(setting.name, { ...setting, apps: [...apps, app] })
    }
  }
  return [HEADER, ...[...settings.values()].map(paragraph)].join('\n')
}

function settingsOf(app: string): Setting[] {
  const main = join(ROOT, 'apps', app, 'src/main.ts')
  const settings: Setting[] = JSON.parse(
    execFileSync(process.execPath, [main, '--settings'], { encoding: 'utf8' }),
  )
  return settings
}

function paragraph({
  name,
  description,
  shared,
  required,
  example = '',
  apps,
}: Setting & { apps: string[] }) {
  const readers = apps.length === startOrder.length ? 'all apps' : apps.join(', ')
  const notes = [
    readers,
    ...(required ? ['required'] : []),
    ...(shared ? ['the same on all instances'] : []),
  ]
  return `# ${description}\n# (${notes.join('; ')})\n# ${name}=${example}\n`
}

if (import.meta.main) writeFileSync(ENV_EXAMPLE, renderEnvExample())
