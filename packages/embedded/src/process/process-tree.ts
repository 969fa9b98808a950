import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { hasCode, hasProc, statFields } from './process-identity.ts'

const run = promisify(execFile)

/** A process and all its descendants at this moment, parents first. */
export async function processTree(root: number): Promise<number[]> {
  const pairs = hasProc() ? parentsFromProc() : await parentsFromPs()
  const children = Map.groupBy(pairs, ([, parent]) => parent)
  const tree = [root]
  for (const pid of tree) {
    for (const [child] of children.get(pid) ?? []) if (child) tree.push(child)
  }
  return tree
}

/** Each running process with its parent. */
function parentsFromProc(): number[][] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = /^\d+$/.test(name) ? Number(name) : undefined
    const parent = pid === undefined ? undefined : statFields(pid)?.[1]
    return pid === undefined || parent === undefined ? [] : [[pid, Number(parent)]]
  })
}

async function parentsFromPs(): Promise<number[][]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid='])
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
}

/** Sends a signal; a process that has ended already is no error. */
export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error
    }
  }
}
