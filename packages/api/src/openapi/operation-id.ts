import type { Endpoint } from '../endpoints/endpoint.ts'

/** Returns the name of an operation for programs: `getPaymentsById` for `GET /api/payments/{id}`. */
export function operationIdOf({ method, path }: Pick<Endpoint, 'method' | 'path'>): string {
  const words = path
    .slice('/api/'.length)
    .replaceAll(/\{(\w+)\}/g, 'by-$1')
    .split(/[/.-]/)
    .map((word) => word.replace(/^./, (first) => first.toUpperCase()))
  return method.toLowerCase() + words.join('')
}
