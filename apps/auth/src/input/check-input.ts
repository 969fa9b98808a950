import { checkFields, ProblemError, readJson } from '@repo/service/hono'
import type { Context } from 'hono'
import { z } from 'zod'
import type { Endpoint } from './endpoints.ts'

const NOTHING = z.strictObject({})

/**
 * Returns the request with only the input that the schema accepted: Better Auth parses no other
 * byte.
 * @throws ProblemError 400 for a body that is not JSON, 422 naming each field at fault
 */
export async function checkInput(
  c: Context,
  { input }: Endpoint,
): Promise<{ request: Request; input: unknown }> {
  const { url, method, headers, signal } = c.req.raw
  const isGet = method === 'GET'
  const query = checkFields(queryOf(url), isGet ? input : NOTHING, 'query')
  if (isGet) {
    return {
      request: new Request(withQuery(url, query), { method, headers, signal }),
      input: query,
    }
  }
  const isEmpty = (await c.req.text()) === ''
  const body = isEmpty ? checkFields({}, input, 'body') : await readJson(c, input)
  const checked = new Headers(headers)
  checked.set('content-type', 'application/json')
  checked.delete('content-length')
  const text = JSON.stringify(body)
  const init = { method, headers: checked, body: text, signal }
  return { request: new Request(withQuery(url, {}), init), input: body }
}

/** @throws ProblemError 422 for a parameter that is given twice */
function queryOf(url: string): Record<string, string> {
  const query = new Map<string, string>()
  for (const [name, value] of new URL(url).searchParams) {
    if (query.has(name)) {
      const errors = [{ field: name.slice(0, 100), message: 'is given twice' }]
      const detail = 'A parameter of the query is given twice.'
      throw new ProblemError({ status: 422, code: 'invalid-query', detail, errors })
    }
    query.set(name, value)
  }
  return Object.fromEntries(query)
}

function withQuery(url: string, query: unknown): URL {
  const target = new URL(url)
  target.search = new URLSearchParams(z.record(z.string(), z.string()).parse(query)).toString()
  return target
}
