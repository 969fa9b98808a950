import { spawnSync } from 'node:child_process'

/** git cannot read the range. The message states its reason and what to do. */
export class ChangelogError extends Error {
  override name = 'ChangelogError'
}

export interface Change {
  commit: string
  subject: string
  isBreaking: boolean
  isSecurity: boolean
}

const FORMAT = '%h%x00%s%x00%B%x01'

/** The section of a change, in the order in which a reader of a changelog needs them. */
const SECTIONS: [title: string, isIn: (change: Change) => boolean][] = [
  ['Security', ({ isSecurity }) => isSecurity],
  ['Breaking', ({ isBreaking }) => isBreaking],
  ['Fixed', ({ subject }) => /^fix\b/.test(subject)],
  ['Added', ({ subject }) => /^feat\b/.test(subject)],
  ['Faster', ({ subject }) => /^perf\b/.test(subject)],
  ['Other', () => true],
]

/**
 * The commits of a range that change a folder, newest first.
 *
 * @param range as `git log` takes it, for example `v1..upstream/main`
 * @throws ChangelogError when git does not have the range
 */
export function readChanges(root: string, folder: string, range: string): Change[] {
  const args = ['log', '--no-merges', `--format=${FORMAT}`, '--end-of-options', range, '--', folder]
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 } as const
  const { status, stdout, stderr, error } = spawnSync('git', args, options)
  if (status !== 0) {
    throw new ChangelogError(
      `git cannot list ${range}: ${error ? String(error) : stderr.trim()}\n` +
        'docs/staying-current.md describes how to add the remote "upstream"; run `git fetch upstream` after it',
    )
  }
  return stdout
    .split('\x01')
    .map((record) => record.trim().split('\0'))
    .filter((fields) => fields.length === 3)
    .map(([commit = '', subject = '', body = '']) => ({
      commit,
      subject,
      isBreaking: /^\w+(\([^)]*\))?!:/.test(subject) || /^BREAKING CHANGE:/m.test(body),
      isSecurity: /^Security: yes$/m.test(body),
    }))
}

/** Markdown with one section per kind of change. Each change is in the first section that fits. */
export function renderChangelog(changes: readonly Change[]): string {
  const sections = Map.groupBy(changes, (change) => SECTIONS.find(([, isIn]) => isIn(change))?.[0])
  const lines = SECTIONS.flatMap(([title]) => {
    const listed = sections.get(title) ?? []
    if (listed.length === 0) return []
    return [
      `## ${title}`,
      '',
      ...listed.map(({ commit, subject }) => `- ${subject} (${commit})`),
      '',
    ]
  })
  return lines.length === 0 ? 'No changes.\n' : lines.join('\n')
}
