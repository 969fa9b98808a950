import type { Endpoint } from '../endpoints/endpoint.ts'
import { headers, problems, problemSchema, securitySchemes } from './components.ts'
import type { OpenApiDocument } from './open-api-document.ts'
import { toOperation } from './operation.ts'
import { convertSchemas } from './schemas.ts'

export { createResponseCheck, type ResponseFault, type SentResponse } from './response-check.ts'
export type { OpenApiDocument }

/**
 * Creates the OpenAPI 3.1 document of these endpoints: parameters, bodies, responses, problems,
 * headers and security schemes. The same endpoints always give the same document.
 *
 * @param origin the public origin of the site
 * @param cookieName the name of the session cookie on that origin
 */
export function createOpenApiDocument({
  endpoints,
  origin,
  cookieName,
  version,
}: {
  endpoints: readonly Endpoint[]
  origin: string
  cookieName: string
  version: string
}): OpenApiDocument {
  const schemas = convertSchemas(endpoints)
  const paths: OpenApiDocument['paths'] = {}
  for (const endpoint of endpoints) {
    const operations = (paths[endpoint.path] ??= {})
    operations[endpoint.method.toLowerCase()] = toOperation(endpoint, schemas)
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Threefold',
      version,
      description:
        'Every refusal is a problem document (RFC 9457). Dates are ISO 8601 text. An unknown field of a response can be ignored.',
    },
    servers: [{ url: origin }],
    tags: [...new Set(endpoints.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: problemSchema, ...schemas.components },
      responses: problems,
      headers,
      securitySchemes: securitySchemes(cookieName),
    },
  }
}
