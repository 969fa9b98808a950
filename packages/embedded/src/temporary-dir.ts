import { mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const MEMORY = '/dev/shm'
/** Containers often have 64 MB in memory, which is too little for more than one cluster. */
const ROOM_BYTES = 2 ** 30

/**
 * Creates a folder: in memory if there is enough space, since a cluster has a thousand small files;
 * otherwise in TMPDIR; otherwise in /tmp.
 */
export async function createTemporaryDir(prefix: string): Promise<string> {
  const parents = [...((await hasRoom()) ? [MEMORY] : []), tmpdir(), '/tmp']
  const faults: unknown[] = []
  for (const parent of parents) {
    try {
      return await mkdtemp(path.join(parent, prefix))
    } catch (error) {
      faults.push(error) // The parent is read-only, full, or missing.
    }
  }
  throw new AggregateError(
    faults,
    `no temporary folder can be created: ${faults.map(String).join('; ')}`,
  )
}

async function hasRoom(): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(MEMORY)
    return bavail * bsize >= ROOM_BYTES
  } catch {
    return false // Only Linux has this folder.
  }
}
