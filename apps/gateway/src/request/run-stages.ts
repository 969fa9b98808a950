import type { GatewayRequest } from './gateway-request.ts'

/** `next`: the next stage continues. `done`: the response was sent, or the upstream sends it. */
export type StageResult = 'next' | 'done'

/** A part of the work for a request. It returns a promise only if it waits for a store. */
export type Stage = (request: GatewayRequest) => StageResult | Promise<StageResult>

/**
 * Runs the stages in their order until one is done. The stages up to the first one that waits run in
 * the turn of the caller; without one, no promise is made.
 */
export function runStages(
  stages: readonly Stage[],
  request: GatewayRequest,
  from = 0,
): undefined | Promise<undefined> {
  for (let at = from; at < stages.length; at += 1) {
    const result = stages[at]?.(request)
    if (result === 'done') return undefined
    if (result instanceof Promise) return resume(stages, request, result, at + 1)
  }
  return undefined
}

async function resume(
  stages: readonly Stage[],
  request: GatewayRequest,
  pending: Promise<StageResult>,
  from: number,
): Promise<undefined> {
  if ((await pending) === 'done') return undefined
  return runStages(stages, request, from)
}
