import { serveReplica } from '../../replica/replica-program.ts'
import {
  type ClosedOrder,
  type Contender,
  type InstanceContext,
  type InstanceRound,
  NOTHING,
  type OpenContender,
  type OpenOrder,
} from '../contender.ts'
import { nowMs, openArrivals } from './arrivals.ts'

/** Operations between two looks at the clock. */
const STRIDE = 16
const BATCH = 1_000
/** Arrivals of this time in flight in an open loop mean that the contender does not keep up. */
const MAX_BEHIND_MS = 2_000
const DRAIN_MS = 10_000

/**
 * Makes the program an instance process of a bench, which opens one of the contenders by its name.
 * The program does nothing else: `serveContenders({ 'bare GET': ({ redisUrl }) => ... })`.
 */
export function serveContenders(contenders: Record<string, OpenContender>): void {
  const [name = '', context = '{}'] = process.argv.slice(2)
  const open = name === NOTHING ? () => ({ run: async () => undefined }) : contenders[name]
  if (!open) throw new Error(`No contender is named "${name}": ${Object.keys(contenders).join()}`)
  serveInstance(open, JSON.parse(context))
}

function serveInstance(open: OpenContender, context: InstanceContext) {
  const opening = Promise.resolve(open(context))
  opening.catch(() => undefined) // `open` reports it
  let arrivals: ReturnType<typeof openArrivals> | undefined
  let next = 0
  serveReplica({
    async open() {
      await opening
    },
    async settle() {
      await (await opening).settle?.()
    },
    async closed(order: ClosedOrder) {
      return closedLoop(await opening, order, () => next++)
    },
    async openLoop(order: OpenOrder) {
      const contender = await opening
      const source = await (arrivals ??= openArrivals())
      return openLoop(contender, source, order, () => next++)
    },
    async close() {
      await (await opening).close?.()
      await (await arrivals)?.close()
    },
  })
}

/** `inFlight` callers: each begins the next operation when its last one has ended. */
async function closedLoop(
  { run, batch }: Contender,
  { inFlight, ms }: ClosedOrder,
  next: () => number,
): Promise<InstanceRound> {
  const cpuBefore = process.cpuUsage()
  const startedAtMs = nowMs()
  const untilMs = startedAtMs + ms
  let operations = 0
  async function call() {
    while (nowMs() < untilMs) {
      if (batch) {
        const running = batch(BATCH)
        if (running !== undefined) await running
        operations += BATCH
        continue
      }
      for (let i = 0; i < STRIDE; i += 1) {
        await run(next())
        operations += 1
      }
    }
  }
  await Promise.all(Array.from({ length: batch ? 1 : inFlight }, call))
  const elapsedMs = nowMs() - startedAtMs
  return { operations, elapsedMs, cpuUs: cpuSince(cpuBefore), latenciesMs: new Float64Array() }
}

/** Operations begin when they arrive, independently of each other. */
async function openLoop(
  { run }: Contender,
  arrivals: Awaited<ReturnType<typeof openArrivals>>,
  { rate, ms }: OpenOrder,
  next: () => number,
): Promise<InstanceRound> {
  const latenciesMs: number[] = []
  const maxInFlight = Math.max(100, (rate * MAX_BEHIND_MS) / 1_000)
  let inFlight = 0
  let failure: unknown
  const drained = Promise.withResolvers<void>()
  let hasEnded = false
  const cpuBefore = process.cpuUsage()
  const startedAtMs = nowMs()
  const running = arrivals.run(rate, ms, begin)

  function begin(atMs: number) {
    inFlight += 1
    if (inFlight > maxInFlight) {
      failure ??= new OverloadError(rate)
      running.stop()
    }
    try {
      const result = run(next())
      if (result instanceof Promise) result.then(() => finish(atMs), fail)
      else finish(atMs)
    } catch (error) {
      fail(error)
    }
  }
  function fail(error: unknown) {
    failure ??= error
    running.stop()
    settle()
  }
  function finish(atMs: number) {
    latenciesMs.push(nowMs() - atMs)
    settle()
  }
  function settle() {
    inFlight -= 1
    if (hasEnded && inFlight === 0) drained.resolve()
  }

  const { cpuUs: generatorUs, missed } = await running.ended
  if (missed > 0) failure ??= new OverloadError(rate)
  hasEnded = true
  const late = setTimeout(() => drained.reject(new OverloadError(rate)), DRAIN_MS)
  if (inFlight > 0) await drained.promise
  clearTimeout(late)
  if (failure !== undefined) throw failure
  return {
    operations: latenciesMs.length,
    elapsedMs: nowMs() - startedAtMs,
    cpuUs: cpuSince(cpuBefore) - generatorUs,
    latenciesMs: Float64Array.from(latenciesMs),
  }
}

/** The contender does not keep up with the arrivals. */
class OverloadError extends Error {
  readonly code = 'overload'
  constructor(rate: number) {
    super(`The contender does not keep up with ${rate} operations per second`)
  }
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return user + system
}
