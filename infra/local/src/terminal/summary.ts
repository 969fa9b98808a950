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

/** The accounts that `apps/auth/src/seed.ts` creates. */
const DEMO = {
  user: 'ada@threefold.test',
  admin: 'grace@threefold.test',
  password: 'three-of-everything',
}

/** The next steps for a new user. */
export function nextSteps({
  edge,
  demo,
  victim,
}: {
  edge: string
  /** Whether the database has the demo accounts. */
  demo: boolean
  victim: number
}): string {
  const link = (path: string) => styleText('cyan', `${edge}${path}`)
  const accounts = demo
    ? `and sign in
    as a user           ${DEMO.user}      ${DEMO.password}
    as an administrator ${DEMO.admin}    ${DEMO.password}`
    : `and sign up: there are no demo accounts.
    --seed-demo makes them, one of them an administrator with a public password`
  return `
  Open ${link('')} ${accounts}

  Things to try
    ${link('/replicas')}   see which instances served you
    for i in 1 2 3 4 5 6; do curl -si ${edge}/api/me | grep -i x-instance; done
    ${link('/users')}      as the administrator: ban a user, and see when every instance applied it
    ${link('/settings')}   change one, and see it on all
    kill -9 ${victim}   no request fails, and the instance comes back
    npx -y pnpm@12 test   in another shell: every promise has a test

  Ctrl-C drains and stops everything; so does \`pnpm stop\` in another shell. \`pnpm logs\` prints the logs.
`
}
