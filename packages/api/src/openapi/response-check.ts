import { fromJSONSchema, type ZodType } from 'zod'
import type { OpenApiDocument } from './open-api-document.ts'
import type { JsonSchema } from './schemas.ts'

/** The outcome of a response that the document does not describe, or describes in another way. */
export type ResponseFault =
  | { outcome: 'undocumented'; what: 'operation' | 'status' }
  | { outcome: 'mismatch'; issues: string[] }

export interface SentResponse {
  method: string
  /** The path of the endpoint, such as `/api/payments/{id}`. */
  path: string
  status: number
  body: unknown
}

/** Returns a function that compares responses with a document. It is for tests, because it is slow. */
export function createResponseCheck(
  document: OpenApiDocument,
): (response: SentResponse) => ResponseFault | undefined {
  const components = JSON.stringify(document.components)
  // `fromJSONSchema` finds references below `$defs` only.
  const local: Record<string, Record<string, JsonSchema>> = JSON.parse(
    components.replaceAll('#/components/schemas/', '#/$defs/'),
  )
  const schemas = new Map<string, ZodType>()

  function schemaOf(name: string): ZodType {
    const schema =
      schemas.get(name) ??
      fromJSONSchema({ $ref: `#/$defs/${name}`, $defs: { ...local['schemas'] } })
    schemas.set(name, schema)
    return schema
  }

  return ({ method, path, status, body }) => {
    const operation = document.paths[path]?.[method.toLowerCase()]
    if (!operation) return { outcome: 'undocumented', what: 'operation' }
    const documented = operation.responses[status]
    if (!documented) return { outcome: 'undocumented', what: 'status' }
    const content = JSON.stringify(
      status < 400 ? documented : document.components['responses']?.[status],
    )
    const name = /"#\/components\/schemas\/(\w+)"/.exec(content)?.[1]
    if (name === undefined) return undefined
    const parsed = schemaOf(name).safeParse(body)
    if (parsed.success) return undefined
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    return { outcome: 'mismatch', issues }
  }
}
