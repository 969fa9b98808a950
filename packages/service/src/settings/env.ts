import { readFileSync } from 'node:fs'
import { writeBeforeExit } from '@repo/observability'
import { z } from 'zod'

/** EX_CONFIG of sysexits.h: the configuration is faulty, so a restart does not help. */
export const EX_CONFIG = 78

type Source = Record<string, string | undefined>
type Parsed<Shape extends z.ZodRawShape> = z.infer<z.ZodObject<Shape>>

export type Env<Shape extends z.ZodRawShape> =
  | { outcome: 'valid'; env: Parsed<Shape> }
  | { outcome: 'invalid'; faults: string[] }

/**
 * Checks settings against their schema and returns every fault, not only the first. A secret can be
 * read from a file (`NAME_FILE`). The text of a fault never contains a value.
 */
export function parseEnv<Shape extends z.ZodRawShape>(shape: Shape, source: Source): Env<Shape> {
  const faults: string[] = []
  const values = Object.fromEntries(
    Object.entries(shape).map(([name, type]) => [name, valueOf(name, type, source, faults)]),
  )
  const parsed = z.object(shape).safeParse(values)
  for (const issue of parsed.error?.issues ?? []) {
    const name = String(issue.path[0])
    if (faults.some((fault) => fault.startsWith(`${name}:`))) continue
    faults.push(`${name}: ${values[name] === undefined ? 'is not set' : issue.message}`)
  }
  for (const [name, type] of Object.entries(shape)) {
    const other = metaOf(type)?.excludes
    const conflict = values[name] && metaOf(type)?.conflict?.(values)
    if (conflict) faults.push(`${name}: ${conflict}`)
    if (other && values[name] && values[other]) faults.push(`${name}: cannot be beside ${other}`)
  }
  if (parsed.success) faults.push(...tooSmall(shape, parsed.data))
  if (values['NODE_ENV'] === 'production') faults.push(...placeholders(shape, values))
  return parsed.success && faults.length === 0
    ? { outcome: 'valid', env: parsed.data }
    : { outcome: 'invalid', faults }
}

/**
 * Reads the environment of the process. If there are faults, prints all of them and exits 78, before
 * the process listens. With `--settings` it prints the schema as JSON and exits 0.
 */
export function readEnv<Shape extends z.ZodRawShape>(shape: Shape): Parsed<Shape> {
  if (process.argv.includes('--settings')) {
    writeBeforeExit(1, `${JSON.stringify(describeSettings(shape), null, 2)}\n`)
    process.exit(0)
  }
  const result = parseEnv(shape, process.env)
  if (result.outcome === 'valid') return result.env
  const list = result.faults.map((fault) => `  ${fault}\n`).join('')
  writeBeforeExit(2, `The configuration has ${result.faults.length} fault(s):\n${list}`)
  process.exit(EX_CONFIG)
}

export interface SettingDescription {
  name: string
  description: string
  shared: boolean
  secret: boolean
  required: boolean
  example: string | undefined
}

/** Describes a schema as data, for `--settings` and `.env.example`. */
export function describeSettings(shape: z.ZodRawShape): SettingDescription[] {
  return Object.entries(shape).map(([name, type]) => {
    const meta = metaOf(type)
    const byDefault = z.safeParse(type, undefined)
    return {
      name,
      description: meta?.description ?? '',
      shared: meta?.shared ?? false,
      secret: meta?.secret ?? false,
      required: !byDefault.success,
      example: meta?.example ?? defaultText(byDefault.success ? byDefault.data : undefined, name),
    }
  })
}

/** Returns the values that must be equal on all instances, as text, for the fingerprint. */
export function sharedSettings(
  shape: z.ZodRawShape,
  source: Source = process.env,
): Record<string, string> {
  const shared = Object.entries(shape).filter(([, type]) => metaOf(type)?.shared)
  return Object.fromEntries(
    shared.map(([name, type]) => {
      const parsed = z.safeParse(type, valueOf(name, type, source, []))
      return [name, JSON.stringify(parsed.data ?? null)]
    }),
  )
}

function metaOf(type: z.core.$ZodType) {
  return z.globalRegistry.get(type)
}

function defaultText(value: unknown, name: string): string | undefined {
  // The default of INSTANCE_ID is the name of the host, which is right on that host only.
  if (value === undefined || name === 'INSTANCE_ID') return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function valueOf(name: string, type: z.core.$ZodType, source: Source, faults: string[]) {
  const file = source[`${name}_FILE`]
  // Compose files and shells write an empty variable for one that is not set.
  const isSecret = metaOf(type)?.secret ?? false
  if (!isSecret) return source[name]?.trim() || undefined
  if (!file) return source[name] || undefined
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch {
    faults.push(`${name}: ${name}_FILE names a file that cannot be read`)
    return undefined
  }
}

function tooSmall(shape: z.ZodRawShape, env: Record<string, unknown>): string[] {
  return Object.entries(shape).flatMap(([name, type]) => {
    const other = metaOf(type)?.atLeast
    if (other === undefined || !(Number(env[name]) < Number(env[other]))) return []
    return [`${name}: must be at least ${other}, ${String(env[other])}`]
  })
}

const PLACEHOLDER = /change.?me|place.?holder|your.?secret|example|insecure|^(.)\1*$/i

function placeholders(shape: z.ZodRawShape, values: Record<string, string | undefined>): string[] {
  return Object.entries(shape)
    .filter(([name, type]) => metaOf(type)?.secret && PLACEHOLDER.test(values[name] ?? ''))
    .filter(([name]) => !name.endsWith('_URL'))
    .map(
      ([name]) => `${name}: is a placeholder; in production it must be a secret that you created`,
    )
}
