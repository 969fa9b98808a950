import { styleText } from 'node:util'

interface Row {
  app: string
  id: string
  url: string
  pid: number
}

/** The table of every instance. */
export function instanceTable(rows: readonly Row[]): string {
  const sorted = rows.toSorted((a, b) => a.id.localeCompare(b.id))
  return [
    styleText('dim', line('app', 'instance', 'address', 'pid')),
    ...sorted.map(({ app, id, url, pid }) => line(app, id, url, String(pid))),
  ].join('\n')
}

function line(app: string, id: string, url: string, pid: string): string {
  return `  ${app.padEnd(10)} ${id.padEnd(12)} ${url.padEnd(24)} ${pid.padStart(7)}`
}

/** What a newcomer does next. */
export function nextSteps({
  edge,
  user,
  admin,
  password,
  victim,
}: {
  edge: string
  user: string
  admin: string
  password: string
  victim: number
}): string {
  const link = (path: string) => styleText('cyan', `${edge}${path}`)
  return `
  Open ${link('')} and sign in
    as a user           ${user}      ${password}
    as an administrator ${admin}    ${password}

  Things to try
    ${link('/replicas')}   see which instances served you
    for i in 1 2 3 4 5 6; do curl -si ${edge}/api/me | grep -i x-instance; done
    ${link('/users')}      as the administrator: ban somebody, and see when every instance knew
    ${link('/settings')}   change one, and see it on all
    kill -9 ${victim}   nobody notices, and it comes back
    npx -y pnpm@12 test   in another shell: every promise has a test

  Ctrl-C drains and stops everything. Logs are in .threefold/logs.
`
}
