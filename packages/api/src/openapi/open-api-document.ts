import type { Operation } from './operation.ts'

/** The parts of an OpenAPI 3.1 document that this package writes. */
export interface OpenApiDocument {
  openapi: '3.1.1'
  info: object
  servers: { url: string }[]
  tags: { name: string }[]
  /** The operations by path, then by method in lower case. */
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, object>>
}
