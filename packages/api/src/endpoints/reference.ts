import type { Endpoint } from './endpoint.ts'

/** The endpoints of the API reference, which the gateway serves. */
export const referenceEndpoints = [
  {
    method: 'GET',
    path: '/api/openapi.json',
    tag: 'reference',
    summary: 'This document',
    auth: 'open',
    responses: { 200: undefined },
  },
  {
    method: 'GET',
    path: '/api/docs',
    tag: 'reference',
    summary: 'The page that shows this document',
    auth: 'open',
    responses: { 200: undefined },
    mediaType: 'text/html',
  },
  {
    method: 'GET',
    path: '/api/docs/{file}',
    tag: 'reference',
    summary: 'A script or a style of the page',
    auth: 'open',
    responses: { 200: undefined, 404: undefined },
    mediaType: '*/*',
  },
] as const satisfies readonly Endpoint[]
