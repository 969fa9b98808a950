import { type core, registry, toJSONSchema } from 'zod'
import type { Endpoint } from '../endpoints/endpoint.ts'
import * as contract from '../index.ts'
import { date } from '../responses/date.ts'
import { operationIdOf } from './operation-id.ts'

/** JSON Schema 2020-12, the dialect of OpenAPI 3.1. */
export type JsonSchema = core.JSONSchema.JSONSchema

/** The schemas with a name in the document. Every other schema is named after its operation. */
const named = {
  ApiKey: contract.apiKey,
  ApiKeys: contract.apiKeys,
  AuthSession: contract.authSession,
  AuthUser: contract.authUser,
  Cluster: contract.cluster,
  Instance: contract.instance,
  Limits: contract.limits,
  LimitsChange: contract.limitsChange,
  Me: contract.me,
  NewKey: contract.newKey,
  Observability: contract.observability,
  Payment: contract.payment,
  PaymentOrder: contract.paymentOrder,
  Payments: contract.payments,
  PublicSettings: contract.publicSettings,
  Revocation: contract.revocation,
  Sessions: contract.sessions,
  Settings: contract.settings,
  SettingChange: contract.settingChange,
  Users: contract.users,
}

export interface Schemas {
  /** The schemas of `components`, by name. */
  readonly components: Readonly<Record<string, JsonSchema>>
  /** Returns a reference to a schema of an endpoint. */
  refTo(schema: core.$ZodType): { $ref: string }
}

/**
 * Converts the bodies of the endpoints to JSON Schema, as they are on the wire: a moment is ISO 8601
 * text, and a field that a default fills is optional.
 */
export function convertSchemas(endpoints: readonly Endpoint[]): Schemas {
  const schemas = registry<{ id: string }>()
  for (const [id, schema] of Object.entries(named)) schemas.add(schema, { id })
  for (const endpoint of endpoints) {
    const operation = operationIdOf(endpoint).replace(/^./, (first) => first.toUpperCase())
    const add = (schema: core.$ZodType | undefined, suffix: string) => {
      if (schema && !schemas.has(schema)) schemas.add(schema, { id: operation + suffix })
    }
    add(endpoint.body, 'Body')
    for (const [status, schema] of Object.entries(endpoint.responses)) {
      if (isSuccess(status)) add(schema, 'Response')
    }
  }
  const converted = toJSONSchema(schemas, {
    uri: (id) => `#/components/schemas/${id}`,
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      // The range of exact integers says nothing about the field.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (zodSchema !== date) return
      delete jsonSchema.anyOf
      Object.assign(jsonSchema, { type: 'string', format: 'date-time' })
    },
  })
  return {
    components: Object.fromEntries(
      Object.entries(converted.schemas).map(
        ([name, { $schema: _dialect, $id: _id, ...schema }]) => [name, schema],
      ),
    ),
    refTo(schema) {
      const { id } = schemas.get(schema) ?? {}
      if (id === undefined) throw new TypeError('the schema belongs to no endpoint')
      return { $ref: `#/components/schemas/${id}` }
    },
  }
}

export function isSuccess(status: string): boolean {
  return status.startsWith('2')
}

/** Converts the query of an endpoint: each field is one parameter. */
export function convertQuery(query: core.$ZodType): JsonSchema {
  return toJSONSchema(query, { io: 'input', unrepresentable: 'any' })
}
