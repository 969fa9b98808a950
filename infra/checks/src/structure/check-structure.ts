import type { Report } from '../report.ts'
import { checkFolders } from './folders.ts'
import { checkInvariants } from './invariants.ts'
import { checkReadmes } from './readme-lengths.ts'

/** Checks the size of folders, the length of READMEs, and where invariants are named. */
export function checkStructure(root: string): Report {
  const faults = [...checkFolders(root), ...checkReadmes(root), ...checkInvariants(root)]
  const summary = `structure: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`
  return { lines: [...faults, summary], isFailed: faults.length > 0 }
}
