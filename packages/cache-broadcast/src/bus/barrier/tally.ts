import { parseArray } from '../message.ts'

/** How far members have applied the log; see `tally-scripts.ts`. */
export interface Tally {
  /** When the list of members was started: positions of another list prove nothing. */
  born: string
  /** All members of the tally have applied the log through this number, but for `behind`. */
  low: number
  /** Registrations that have applied more. */
  ahead?: Set<string>
  /** Registration -> number after which the member answers for each entry by itself. */
  behind: Map<string, number>
}

/** Whether a member that was registered when entry `n` was appended has applied it. */
export function hasApplied({ low, ahead, behind }: Tally, registration: string, n: number) {
  if (low < n && !ahead?.has(registration)) return false
  return (behind.get(registration) ?? n) >= n
}

/** Reads what DESCRIBE writes; undefined for what this release does not know, which proves nothing. */
export function decodeTally(text: string): Tally | undefined {
  const [, low, born, json] = /^(\d+) (\d+)(?: (\[.*\]))?$/.exec(text) ?? []
  if (low === undefined || born === undefined) return undefined
  const fields = json === undefined ? [] : parseArray(json)
  if (json !== undefined && fields.length === 0) return undefined
  return { low: Number(low), born, behind: decodeBehind(fields) }
}

/** Reads the answer of `readTally` for entry `n`: the registrations that have applied it are listed. */
export function decodeTallyOf(fields: unknown[]): Tally {
  const [born, ahead, behind] = fields
  const applied = Array.isArray(ahead) ? ahead.map(String) : []
  return { born: String(born), low: 0, ahead: new Set(applied), behind: decodeBehind(behind) }
}

function decodeBehind(fields: unknown): Map<string, number> {
  const list = Array.isArray(fields) ? fields.map(String) : []
  const behind = new Map<string, number>()
  for (let i = 0; i + 1 < list.length; i += 2) {
    behind.set(String(list[i]), Number.parseInt(String(list[i + 1]), 10))
  }
  return behind
}
