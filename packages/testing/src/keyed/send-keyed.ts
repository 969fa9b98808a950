import type { KeyedResponse } from './keyed-call.ts'

export interface KeyedPost {
  url: string | URL
  key: string
  headers: Record<string, string>
  body: string
  /** The longest wait for a response, in ms. */
  timeoutMs?: number
}

/** Sends a POST with its key once. It never rejects: without a complete response the status is 0. */
export async function sendKeyed(
  { url, key, headers, body, timeoutMs = 20_000 }: KeyedPost,
  signal?: AbortSignal,
): Promise<KeyedResponse> {
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': key },
      body,
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    })
    const text = await response.text()
    return {
      status: response.status,
      body: text,
      ...keyedHeaders((name) => response.headers.get(name)),
    }
  } catch (error) {
    return {
      status: 0,
      body: '',
      error: String(error instanceof Error ? (error.cause ?? error) : error),
    }
  }
}

/** Reads the headers of a response that a client with a key uses. */
export function keyedHeaders(
  read: (name: string) => string | null | undefined,
): Pick<KeyedResponse, 'retryAfterS' | 'isReplay'> {
  const retryAfterS = Number(read('retry-after') ?? Number.NaN)
  return {
    ...(Number.isFinite(retryAfterS) && { retryAfterS }),
    isReplay: read('idempotency-replayed') === 'true',
  }
}
