/** The result of a check: the lines to print, and whether `pnpm check` fails. */
export interface Report {
  lines: string[]
  isFailed: boolean
}
