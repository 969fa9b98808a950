import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { endpoints } from '../endpoints.ts'
import { createOpenApiDocument } from './document.ts'

const document = createOpenApiDocument({
  endpoints,
  origin: 'https://example.com',
  cookieName: 'better-auth.session_token',
  version: '1.2.3',
})

/** Every `$ref` of a value. */
function refsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) =>
    key === '$ref' && typeof each === 'string' ? [each] : refsOf(each),
  )
}

test('the document is valid OpenAPI 3.1, and a document with a fault is not', async () => {
  const validator = new Validator()
  const { valid, errors } = await validator.validate({ ...structuredClone(document) })
  expect(errors).toBeUndefined()
  expect(valid).toBe(true)
  expect(validator.version).toBe('3.1')
  const faulty = structuredClone(document)
  Object.assign(faulty.paths['/api/me']?.['get'] ?? {}, { responses: 'none' })
  expect((await new Validator().validate({ ...faulty })).valid).toBe(false)
})

test('the document has exactly one operation for each endpoint, and no two operations have one id', () => {
  const operations = Object.entries(document.paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod).map(([method, operation]) => ({
      key: `${method} ${path}`,
      operation,
    })),
  )
  expect(operations.map(({ key }) => key).toSorted()).toEqual(
    endpoints.map(({ method, path }) => `${method.toLowerCase()} ${path}`).toSorted(),
  )
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
})

test('every reference of the document leads to a component, and every schema of a component is used', () => {
  const refs = new Set(refsOf(document))
  const components = Object.entries(document.components).flatMap(([kind, byName]) =>
    Object.keys(byName).map((name) => `#/components/${kind}/${name}`),
  )
  for (const ref of refs) expect(components).toContain(ref)
  const unused = components.filter((name) => name.includes('/schemas/') && !refs.has(name))
  expect(unused).toEqual([])
})

test('an operation has its parameters, its body, its problems and the ways to sign in', () => {
  expect(document.paths['/api/payments']?.['post']).toMatchObject({
    operationId: 'postPayments',
    security: [{ session: [] }, { apiKey: ['payments:write'] }],
    parameters: [{ name: 'Idempotency-Key', in: 'header', required: false }],
    requestBody: { required: true },
    responses: {
      201: {
        headers: { RateLimit: {}, 'Idempotency-Status': {}, 'Idempotency-Replayed': {} },
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Payment' } } },
      },
      401: { $ref: '#/components/responses/401' },
      409: {},
      413: {},
      415: {},
      422: {},
      429: {},
      503: {},
    },
  })
  expect(document.paths['/api/limits']?.['get']?.parameters).toEqual([
    {
      name: 'minutes',
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 60, default: 5 },
    },
  ])
  expect(document.paths['/api/payments/{id}']?.['get']?.parameters).toMatchObject([
    { name: 'id', in: 'path', required: true },
  ])
  expect(document.paths['/api/settings/public']?.['get']?.security).toEqual([])
  expect(document.components['schemas']).toMatchObject({
    Payment: { properties: { createdAt: { type: 'string', format: 'date-time' } } },
    PaymentOrder: { additionalProperties: false },
  })
})

test('every status of an endpoint is documented', () => {
  for (const { method, path, responses } of endpoints) {
    const documented = document.paths[path]?.[method.toLowerCase()]?.responses ?? {}
    for (const status of Object.keys(responses)) {
      expect(documented, `${method} ${path}`).toHaveProperty(status)
    }
  }
})
