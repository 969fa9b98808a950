import path from 'node:path'
import { copyMutant, type Edit } from '@repo/testing'
import type { createOnce } from '../once.ts'
import type { redisStore } from './redis-store.ts'

/** The mechanisms that are removed from the store, one at a time: the races must detect it. */
const MUTANTS = {
  'a read before the write': [
    [
      'redis/redis-store.ts',
      'reply = await run(BEGIN, [name], [token, fingerprint, leaseMs, leaseMs + retainMs])',
      `const isStored = await redis.call((client) => client.exists(name))
      const lease = String(Date.now() + leaseMs).padStart(13, '0')
      const value = \`1P\${token}\${fingerprint}\${lease}000001\`
      reply = isStored
        ? await run(BEGIN, [name], [token, fingerprint, leaseMs, leaseMs + retainMs])
        : await redis.call((client) => client.set(name, value, 'PX', leaseMs + retainMs)).then(() => 1)`,
    ],
  ],
  'a lease by the clock of the instance': [
    [
      'redis/redis-store.ts',
      '[token, fingerprint, leaseMs, leaseMs + retainMs]',
      '[token, fingerprint, leaseMs, leaseMs + retainMs, Date.now()]',
    ],
    [
      'redis/scripts.ts',
      '${CLOCK}\n    if state then',
      'local nowMs = tonumber(ARGV[5])\n    if state then',
    ],
  ],
  'a completion without a check of the token': [
    ['redis/scripts.ts', 'if token ~= ARGV[1] then return 0 end', ''],
  ],
  'no fence of completed records': [
    [
      'redis/scripts.ts',
      "if sub(head, 25, 67) ~= ARGV[2] then return 0 end\n      return redis.call('GET', KEYS[1])",
      '',
    ],
  ],
  'a release without a check of the token': [
    [
      'redis/scripts.ts',
      "if redis.call('GETRANGE', KEYS[1], 0, 23) ~= '${FORMAT}P' .. ARGV[1] then return 0 end\n",
      '',
    ],
  ],
  'no heal by a completion': [
    ['redis/scripts.ts', "elseif head ~= '' then\n      return sub(head, 1, 1)", 'else return 0'],
  ],
  'no heal by a renewal': [
    [
      'redis/scripts.ts',
      "if head == '' then\n        local claim",
      'if false then\n        local claim',
    ],
  ],
  'no withdrawal': [
    [
      'redis/redis-store.ts',
      'if (isUndecided(error)) withdrawLater',
      'if (token === name) withdrawLater',
    ],
  ],
  'a withdrawal without a mark': [
    ['redis/scripts.ts', "redis.call('SET', KEYS[1], '${FORMAT}R' .. ARGV[1], 'PX', ARGV[2])", ''],
  ],
  'no repeated completion': [
    ['attempt/retries.ts', 'if (performance.now() < untilMs) await work()', ''],
  ],
  // No mutant: the next release, whose records this one cannot read.
  'another format': [['redis/scripts.ts', "FORMAT = '1'", "FORMAT = '2'"]],
} satisfies Record<string, Edit[]>

export type Mutant = keyof typeof MUTANTS

const folder = path.join(import.meta.dirname, '..')

/** The source of the package, for a process that imports its modules by their paths. */
export const original = folder

/** Copies the package without one of its mechanisms. Returns the folder of the copied source. */
export async function makeMutant(mutant: Mutant) {
  const { source, remove } = await copyMutant(folder, mutant, MUTANTS[mutant])
  return { source: path.dirname(source), remove }
}

interface Library {
  createOnce: typeof createOnce
  redisStore: typeof redisStore
}

/** Imports the package from a folder. */
export async function importLibrary(source: string): Promise<Library> {
  const [index, store]: [Pick<Library, 'createOnce'>, Pick<Library, 'redisStore'>] =
    await Promise.all([
      import(path.join(source, 'index.ts')),
      import(path.join(source, 'redis/redis-store.ts')),
    ])
  return { createOnce: index.createOnce, redisStore: store.redisStore }
}
