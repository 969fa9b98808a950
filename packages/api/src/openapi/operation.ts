import type { Endpoint } from '../endpoints/endpoint.ts'
import { type HeaderName, isProblemStatus, type ProblemStatus, refToHeaders } from './components.ts'
import { operationIdOf } from './operation-id.ts'
import { convertQuery, isSuccess, type JsonSchema, type Schemas } from './schemas.ts'

interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required: boolean
  description?: string
  schema: JsonSchema
}

export interface Operation {
  operationId: string
  summary: string
  description?: string
  tags: string[]
  security: Record<string, string[]>[]
  parameters: Parameter[]
  requestBody?: object
  responses: Record<string, object>
}

const JSON_TYPE = 'application/json'
/** Visible ASCII without a comma, which joins two headers. */
const KEY_PATTERN = '^[!-+\\--~]+$'

/** Converts an endpoint to an operation of OpenAPI. */
export function toOperation(endpoint: Endpoint, schemas: Schemas): Operation {
  const { summary, tag, auth, body } = endpoint
  return {
    operationId: operationIdOf(endpoint),
    summary,
    ...(auth === 'administrator' && { description: 'Only administrators can do this.' }),
    tags: [tag],
    security: securityOf(endpoint),
    parameters: [...pathParameters(endpoint), ...queryParameters(endpoint), ...keyOf(endpoint)],
    ...(body && {
      requestBody: {
        required: true,
        content: { [JSON_TYPE]: { schema: schemas.refTo(body) } },
      },
    }),
    responses: { ...successes(endpoint, schemas), ...refusals(endpoint) },
  }
}

function securityOf({ auth, scope }: Endpoint): Operation['security'] {
  if (auth === 'open') return []
  // OpenAPI 3.1: the list names the roles that a scheme without OAuth needs.
  return scope === undefined ? [{ session: [] }] : [{ session: [] }, { apiKey: [scope] }]
}

function pathParameters({ path }: Endpoint): Parameter[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters({ query }: Endpoint): Parameter[] {
  if (!query) return []
  const { properties = {}, required = [] } = convertQuery(query)
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: typeof schema === 'boolean' ? {} : schema,
  }))
}

function keyOf({ idempotency }: Endpoint): Parameter[] {
  if (!idempotency) return []
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: idempotency === 'required',
      description:
        'A new random key, such as a UUID, for each operation. All attempts of the operation have the same key, method, path, query and body: it takes effect once, and each later attempt receives the first response for 24 hours. A key belongs to the caller.',
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: KEY_PATTERN },
    },
  ]
}

function successes(endpoint: Endpoint, schemas: Schemas): Operation['responses'] {
  const names: HeaderName[] = ['X-Request-Id', 'X-Instance-Id', 'RateLimit-Policy', 'RateLimit']
  if (endpoint.idempotency) names.push('Idempotency-Status', 'Idempotency-Replayed')
  const { mediaType = JSON_TYPE } = endpoint
  const listed = Object.entries(endpoint.responses).filter(([status]) => isSuccess(status))
  return Object.fromEntries(
    listed.map(([status, schema]) => [
      status,
      {
        description: endpoint.summary,
        headers: refToHeaders(...names),
        content: { [mediaType]: { schema: schema ? schemas.refTo(schema) : {} } },
      },
    ]),
  )
}

function refusals(endpoint: Endpoint): Operation['responses'] {
  const { method, auth, body, idempotency } = endpoint
  const statuses = new Set<ProblemStatus>([400, 429, 503])
  if (auth !== 'open') statuses.add(401)
  if (auth === 'administrator' || method !== 'GET') statuses.add(403)
  if (body) for (const status of [413, 415, 422] as const) statuses.add(status)
  if (idempotency) for (const status of [409, 413, 422] as const) statuses.add(status)
  for (const status of Object.keys(endpoint.responses).map(Number)) {
    if (isProblemStatus(status)) statuses.add(status)
  }
  return Object.fromEntries(
    [...statuses].map((status) => [status, { $ref: `#/components/responses/${status}` }]),
  )
}
