import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { type Member, Members } from './members.ts'

test('after 10000 random changes the list has the members of a Set', () => {
  const all = Array.from({ length: 50 }, (_, id): Member & { id: number } => ({
    id,
    memberIndex: -1,
  }))
  const members = new Members<Member & { id: number }>()
  const model = new Set<Member>()
  for (let i = 0; i < 10_000; i += 1) {
    const member = all[Math.floor(Math.random() * all.length)]
    if (!member) continue
    if (Math.random() < 0.5) {
      members.add(member)
      model.add(member)
    } else {
      members.delete(member)
      model.delete(member)
    }
    expect(members.size).toBe(model.size)
  }
  expect(new Set(members.values())).toEqual(model)
})

interface Request extends Member {
  data: number[]
}

/** A part of the interface of Set, which also is the mutant. */
interface InFlight {
  add(request: Request): unknown
  delete(request: Request): unknown
}

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

function collectGarbage(type: 'major' | 'minor'): void {
  if (typeof collect === 'function') Reflect.apply(collect, undefined, [{ type }])
}

const createRequest = (): Request => ({
  data: Array.from({ length: 100 }, Math.random),
  memberIndex: -1,
})

/** The least of five rounds: other work of this process allocates too. */
function leastRetainedMb(create: () => InFlight): number {
  return Math.min(...Array.from({ length: 5 }, () => retainedMb(create())))
}

/** Returns the MB that the young generation retains of 16 MB of requests that have ended. */
function retainedMb(inFlight: InFlight): number {
  const running = Array.from({ length: 32 }, createRequest)
  for (const request of running) inFlight.add(request)
  collectGarbage('major')
  collectGarbage('major')
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 20_000; i += 1) {
    const request = createRequest()
    inFlight.add(request)
    inFlight.delete(running[i % 32] ?? request)
    running[i % 32] = request
    if (i % 1_000 === 0) collectGarbage('minor')
  }
  collectGarbage('minor')
  collectGarbage('minor')
  return (process.memoryUsage().heapUsed - before) / 1_000_000
}

test('requests that have left the list are collected without a full garbage collection', () => {
  expect(leastRetainedMb(() => new Members<Request>())).toBeLessThan(4)
})

test('a mutant that is a Set retains requests that have left it', () => {
  expect(leastRetainedMb(() => new Set<Request>())).toBeGreaterThan(8)
})
