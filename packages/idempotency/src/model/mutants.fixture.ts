import path from 'node:path'
import { copyMutant, type Edit } from '@repo/testing'
import type { Driver } from './drivers.fixture.ts'

interface Mutant {
  readonly driver: Driver
  /** The number of histories in which it must be caught: at least twice as many as needed. */
  readonly within: number
  readonly edits: readonly Edit[]
}

/** Programs with one mechanism removed. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'no fence of a claim': {
    driver: 'redis',
    within: 100,
    edits: [
      ['redis/scripts.ts', 'if token ~= ARGV[1] then return 0 end', ''],
      [
        'redis/scripts.ts',
        "if sub(head, 25, 67) ~= ARGV[2] then return 0 end\n      return redis.call('GET', KEYS[1])",
        '',
      ],
    ],
  },
  'a completion without a check of the token': {
    driver: 'memory',
    within: 1_000,
    edits: [
      [
        'memory/memory-store.ts',
        'if (entry && entry.token !== claim.token) {',
        'if (entry?.record && entry.token !== claim.token) {',
      ],
    ],
  },
  'no heal': {
    driver: 'redis',
    within: 300,
    edits: [
      ['redis/scripts.ts', "elseif head ~= '' then\n      return sub(head, 1, 1)", 'else return 2'],
    ],
  },
  'a takeover before the lease ends': {
    driver: 'redis',
    within: 100,
    edits: [
      [
        'redis/scripts.ts',
        'if leftMs > 0 then return -leftMs end',
        'if leftMs > 3600000 then return -leftMs end',
      ],
    ],
  },
  'a release without a check of the token': {
    driver: 'redis',
    within: 300,
    edits: [
      [
        'redis/scripts.ts',
        "if redis.call('GETRANGE', KEYS[1], 0, 23) ~= '${FORMAT}P' .. ARGV[1] then return 0 end\n",
        '',
      ],
    ],
  },
  'no fence of a transaction': {
    driver: 'tiered',
    within: 300,
    edits: [
      [
        'postgres/statements.ts',
        'where ${IS_EXPIRED} or ${IS_SAME_PENDING} and ${TAKES[takes]}\nreturning found.xmax',
        'where true\nreturning found.xmax',
      ],
    ],
  },
  'a row of the key outside the transaction': {
    driver: 'lock',
    within: 100,
    edits: [['postgres/transaction.ts', 'await storeRow(tx, claim,', 'await storeRow(db, claim,']],
  },
  'no limit of an idle transaction': {
    driver: 'row',
    within: 200,
    edits: [['postgres/transaction.ts', '`read committed; ${idle}`', "'read committed'"]],
  },
  'a mismatch in Redis that PostgreSQL does not confirm': {
    driver: 'tiered',
    within: 400,
    edits: [
      [
        'tiered/tiered-store.ts',
        "if (begun.outcome === 'mismatch') return confirmMismatch(claim, leaseMs)",
        '',
      ],
    ],
  },
}

/** Copies the program without one of its mechanisms, and returns the folder of the copy. */
export async function makeMutant(name: string) {
  const mutant = MUTANTS[name]
  if (!mutant) throw new Error(`there is no mutant "${name}"`)
  const folder = path.join(import.meta.dirname, '..')
  const { source, remove } = await copyMutant(folder, name, mutant.edits)
  return { folder: path.dirname(source), remove }
}
