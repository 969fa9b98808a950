import { mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const MEMORY = '/dev/shm'
/** Containers often have 64 MB there, which is one cluster. */
const ROOM_BYTES = 2 ** 30

/** A new folder, in memory where there is room: a cluster is a thousand small files. */
export async function createTemporaryDir(prefix: string): Promise<string> {
  return mkdtemp(path.join((await hasRoom()) ? MEMORY : tmpdir(), prefix))
}

async function hasRoom(): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(MEMORY)
    return bavail * bsize >= ROOM_BYTES
  } catch {
    return false // not Linux
  }
}
