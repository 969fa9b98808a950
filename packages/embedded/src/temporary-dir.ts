import { mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const MEMORY = '/dev/shm'
/** Containers often have 64 MB there, which is one cluster. */
const ROOM_BYTES = 2 ** 30

/**
 * A new folder, in memory where there is room (a cluster is a thousand small files), else where TMPDIR
 * names one, else in /tmp.
 */
export async function createTemporaryDir(prefix: string): Promise<string> {
  const parents = [...((await hasRoom()) ? [MEMORY] : []), tmpdir(), '/tmp']
  const faults: unknown[] = []
  for (const parent of parents) {
    try {
      return await mkdtemp(path.join(parent, prefix))
    } catch (error) {
      faults.push(error) // Read-only, full, or not there.
    }
  }
  throw new AggregateError(
    faults,
    `no temporary folder can be made: ${faults.map(String).join('; ')}`,
  )
}

async function hasRoom(): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(MEMORY)
    return bavail * bsize >= ROOM_BYTES
  } catch {
    return false // Not Linux.
  }
}
