import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'

const text = z.union([z.string(), z.number()]).transform(String)
const port = z.union([
  z.string().transform((short) => {
    const [, hostIp = ''] = /^(.+):[^:]+:[^:]+$/.exec(short) ?? []
    return { hostIp }
  }),
  z.object({ host_ip: z.string().default('') }).transform(({ host_ip: hostIp }) => ({ hostIp })),
])
const networks = z
  .union([z.array(z.string()), z.record(z.string(), z.unknown()).transform(Object.keys)])
  .default(['default'])

const service = z.object({
  image: z.string(),
  restart: z.string().optional(),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  cap_add: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  privileged: z.boolean().default(false),
  mem_limit: text.default('0').transform(bytesOf),
  cpus: text.default('0').transform(Number),
  pids_limit: z.number().default(0),
  logging: z
    .object({ driver: z.string(), options: z.record(z.string(), text) })
    .default({ driver: '', options: {} }),
  environment: z.record(z.string(), text).default({}),
  labels: z.record(z.string(), text).default({}),
  ports: z.array(port).default([]),
  networks,
})

const config = z.object({
  name: z.string(),
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().default(false) })),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
})

export type ComposeConfig = z.infer<typeof config>

/**
 * Renders compose.yaml with these variables, as `docker compose config` does. On a machine with Docker,
 * COMPOSE_RENDERED names a file that Docker has rendered, with the defaults and a project name.
 */
export function renderCompose(variables: Record<string, string> = {}): ComposeConfig {
  const rendered = process.env['COMPOSE_RENDERED']
  if (rendered && Object.keys(variables).length === 1) {
    return config.parse(JSON.parse(readFileSync(rendered, 'utf8')))
  }
  const file = readFileSync(join(import.meta.dirname, '../../../compose/compose.yaml'), 'utf8')
  const document: unknown = parse(file, { merge: true })
  return config.parse(interpolateAll(document, variables))
}

function interpolateAll(value: unknown, variables: Record<string, string>): unknown {
  if (typeof value === 'string') return interpolate(value, variables)
  if (Array.isArray(value)) return value.map((each) => interpolateAll(each, variables))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, interpolateAll(each, variables)]),
  )
}

// The innermost expression: `${NAME}`, `${NAME-default}`, `${NAME:-default}`, `${NAME:+text}`, `${NAME:?message}`.
const EXPRESSION = /(?<!\$)\$\{(\w+)(?::?([-+?])([^${}]*))?\}/

function interpolate(template: string, variables: Record<string, string>): string {
  const expression = EXPRESSION.exec(template)
  if (!expression) return template
  const [whole, name = '', operator, operand = ''] = expression
  const value = variables[name] ?? ''
  if (operator === '?' && value === '') throw new Error(`${name}: ${operand}`)
  const replaced =
    operator === '+' ? (value === '' ? '' : operand) : operator === '-' ? value || operand : value
  return interpolate(
    template.replace(whole, () => replaced),
    variables,
  )
}

function bytesOf(size: string): number {
  const units: Record<string, number> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }
  const [, digits = '0', unit = ''] = /^(\d+)([kmg]?)$/.exec(size) ?? []
  return Number(digits) * (units[unit] ?? 1)
}
