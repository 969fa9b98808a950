import { lookup, resolvePtr } from 'node:dns/promises'
import { readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * `node --import instance.ts src/main.ts`: names this instance after its container, `auth-2` for
 * `threefold-auth-2`. Docker's DNS resolves the address of the container to this name. Without such a name
 * (Kubernetes, `docker run`), the host name is the default.
 */
const env = process.env
const { COMPOSE_PROJECT_NAME: project, PORT: port } = env

if (project && !env['INSTANCE_ID']) {
  const container = await containerOf(project)
  if (container) {
    env['INSTANCE_ID'] = container.slice(project.length + 1)
    env['INSTANCE_URL'] ||= `http://${container}:${port}`
  }
}

// `health.sh` compares the age of the secret files with this one.
writeFileSync('/tmp/started', '')

// Next reads this variable, and reads no file.
const keyFile = env['NEXT_SERVER_ACTIONS_ENCRYPTION_KEY_FILE']
if (keyFile) env['NEXT_SERVER_ACTIONS_ENCRYPTION_KEY'] = readFileSync(keyFile, 'utf8').trim()

async function containerOf(prefix: string): Promise<string | undefined> {
  try {
    // `reverse` would read the hosts file first, in which the address has only the host name.
    const { address } = await lookup(hostname(), { family: 4 })
    const names = await resolvePtr(`${address.split('.').toReversed().join('.')}.in-addr.arpa`)
    const hosts = names.map((name) => name.split('.', 1)[0] ?? '')
    return hosts.find((name) => name.startsWith(`${prefix}-`))
  } catch (error) {
    // The format of the log, which does not exist yet.
    const message = `the host name stays this instance's name: ${String(error)}`
    const line = { level: 'warn', time: new Date().toISOString(), instance: hostname() }
    process.stderr.write(
      `${JSON.stringify({ ...line, event: 'instance.unnamed', msg: message })}\n`,
    )
    return undefined
  }
}
