import type { Report } from '../report.ts'
import { checkGuarantees } from './guarantees.ts'
import { checkNamedFiles } from './named-files.ts'

/** Checks that files and tests which documents name exist. */
export function checkDocs(root: string): Report {
  const faults = [...checkNamedFiles(root), ...checkGuarantees(root)]
  const summary = `docs: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`
  return { lines: [...faults, summary], isFailed: faults.length > 0 }
}
