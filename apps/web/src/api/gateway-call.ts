import {
  type CallOptions,
  type CallResult,
  type CallValue,
  createClient,
  type Operation,
} from '@repo/api/client'
import { withAwakeDeadline } from '@repo/concurrency'
import { settings } from '../env.ts'
import { type Answer, noAnswer } from './answer.ts'
import { fetchFrom } from './gateways.ts'

/** Calls an endpoint of a gateway. No response before the deadline is an answer too. */
export async function callGateway<Key extends Operation, T>(
  operation: Key,
  options: CallOptions<Key>,
  deadlineMs: number,
  read: (result: CallResult<CallValue<Key>>) => Answer<T>,
): Promise<Answer<T>> {
  const origins = settings().API_URL
  let path = ''
  const client = createClient({
    // `fetchFrom` replaces it.
    origin: origins[0] ?? '',
    fetch(url, init) {
      path = url.pathname + url.search
      return fetchFrom(origins, path, { ...init, cache: 'no-store' })
    },
  })
  try {
    return await withAwakeDeadline(deadlineMs, async (signal) =>
      read(await client.call(operation, { ...options, signal })),
    )
  } catch (error) {
    console.warn({ event: 'api_no_answer', path, error: String(error) }, 'the API sent no response')
    return noAnswer
  }
}
