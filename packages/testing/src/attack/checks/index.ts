import type { Check } from '../check.ts'
import { bodyChecks } from './bodies.ts'
import { framingChecks } from './framing.ts'
import { headerChecks } from './headers.ts'
import { lineChecks } from './lines.ts'
import { responseChecks } from './responses.ts'
import { targetChecks } from './targets.ts'

/** Every attack, as raw bytes with the outcomes that are allowed. */
export const attackChecks: readonly Check[] = [
  ...framingChecks,
  ...lineChecks,
  ...targetChecks,
  ...headerChecks,
  ...bodyChecks,
  ...responseChecks,
]
