import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'

/** The folder with rules.yml and its unit tests. */
export const FOLDER = join(import.meta.dirname, '../..')

const recording = z.strictObject({
  record: z.string(),
  expr: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
})
const alert = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(['page', 'ticket']) }),
  annotations: z.strictObject({
    summary: z.string().min(10),
    description: z.string().min(20),
    runbook_url: z.string(),
  }),
})
const ruleFile = z.strictObject({
  groups: z.array(
    z.strictObject({ name: z.string(), rules: z.array(z.union([recording, alert])) }),
  ),
})

export type Alert = z.infer<typeof alert>
export type Recording = z.infer<typeof recording>

/** The alerts and the recording rules of rules.yml. @throws ZodError for another shape */
export function readRules(): { alerts: Alert[]; recordings: Recording[] } {
  const { groups } = ruleFile.parse(parse(readFileSync(join(FOLDER, 'rules.yml'), 'utf8')))
  const rules = groups.flatMap((group) => group.rules)
  return {
    alerts: rules.filter((rule) => 'alert' in rule),
    recordings: rules.filter((rule) => 'record' in rule),
  }
}
