import type { Report } from '../report.ts'
import { checkGuarantees } from './guarantees.ts'
import { checkLayers } from './layers.ts'
import { checkNamedFiles } from './named-files.ts'

/** Checks that the files and tests in documents exist, and that each package has its row. */
export function checkDocs(root: string): Report {
  const faults = [...checkNamedFiles(root), ...checkGuarantees(root), ...checkLayers(root)]
  const summary = `docs: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`
  return { lines: [...faults, summary], isFailed: faults.length > 0 }
}
