import { z } from 'zod'
import { newKey } from '../requests/keys.ts'
import { blockRequest, limitSubject } from '../requests/limits.ts'
import { settingRequests } from '../requests/settings.ts'
import { cluster } from '../responses/cluster.ts'
import { apiKeys, createdKey } from '../responses/keys.ts'
import { limits, limitsChange } from '../responses/limits.ts'
import { me } from '../responses/me.ts'
import { observability } from '../responses/observability.ts'
import { problem } from '../responses/problem.ts'
import { revocation, sessions } from '../responses/sessions.ts'
import { publicSettings, settingChange, settings } from '../responses/settings.ts'
import type { Endpoint } from './endpoint.ts'
import { referenceEndpoints } from './reference.ts'

/** The endpoints that the gateway serves itself. */
export const gatewayEndpoints = [
  {
    method: 'GET',
    path: '/api/me',
    tag: 'account',
    summary: 'The signed-in user',
    auth: 'signed-in',
    scope: 'account:read',
    responses: { 200: me },
  },
  {
    method: 'GET',
    path: '/api/sessions',
    tag: 'account',
    summary: 'The sessions of the caller, at most 100',
    auth: 'signed-in',
    responses: { 200: sessions },
  },
  {
    method: 'DELETE',
    path: '/api/sessions',
    tag: 'account',
    summary: 'End all sessions of the caller except this one, on all instances',
    auth: 'signed-in',
    responses: { 200: revocation },
  },
  {
    method: 'DELETE',
    path: '/api/sessions/{id}',
    tag: 'account',
    summary: 'End one session of the caller, on all instances',
    auth: 'signed-in',
    responses: { 200: revocation, 404: problem },
  },
  {
    method: 'GET',
    path: '/api/keys',
    tag: 'account',
    summary: 'The API keys of the caller, at most 50',
    auth: 'signed-in',
    responses: { 200: apiKeys },
  },
  {
    method: 'POST',
    path: '/api/keys',
    tag: 'account',
    summary: 'Create an API key, which only this response contains',
    auth: 'signed-in',
    body: newKey,
    responses: { 201: createdKey, 409: problem, 422: problem },
    bodyLimitBytes: 4_096,
  },
  {
    method: 'DELETE',
    path: '/api/keys/{id}',
    tag: 'account',
    summary: 'Revoke an API key of the caller, on all instances',
    auth: 'signed-in',
    responses: { 200: revocation, 404: problem },
  },
  {
    method: 'GET',
    path: '/api/settings/public',
    tag: 'settings',
    summary: 'The settings that every caller can read',
    auth: 'open',
    responses: { 200: publicSettings },
  },
  {
    method: 'GET',
    path: '/api/settings',
    tag: 'settings',
    summary: 'All settings',
    auth: 'administrator',
    responses: { 200: settings },
  },
  {
    method: 'PUT',
    path: '/api/settings/{name}',
    tag: 'settings',
    summary: 'Change a setting on all instances',
    auth: 'administrator',
    body: z.union([settingRequests.announcement, settingRequests.payments]),
    responses: { 200: settingChange, 404: problem, 422: problem },
  },
  {
    method: 'GET',
    path: '/api/limits',
    tag: 'limits',
    summary: 'The limits in force and their decisions in the last minutes',
    auth: 'administrator',
    query: z.object({ minutes: z.coerce.number().int().min(1).max(60).catch(5).optional() }),
    responses: { 200: limits },
  },
  {
    method: 'PUT',
    path: '/api/limits',
    tag: 'limits',
    summary: 'Change the limits on all instances',
    auth: 'administrator',
    body: z.object({ policies: z.array(z.unknown()), routes: z.array(z.unknown()) }),
    responses: { 200: limitsChange, 422: problem },
  },
  {
    method: 'POST',
    path: '/api/limits/blocks',
    tag: 'limits',
    summary: 'Block a key of a policy',
    auth: 'administrator',
    body: blockRequest,
    responses: { 200: blockRequest, 422: problem },
  },
  {
    method: 'DELETE',
    path: '/api/limits/blocks',
    tag: 'limits',
    summary: 'Remove the block and the count of a key',
    auth: 'administrator',
    query: limitSubject,
    responses: { 200: limitSubject, 422: problem },
  },
  {
    method: 'GET',
    path: '/api/cluster',
    tag: 'cluster',
    summary: 'The live instances of all apps',
    auth: 'administrator',
    responses: { 200: cluster },
  },
  {
    method: 'GET',
    path: '/api/observability',
    tag: 'cluster',
    summary: 'Sign-ins, session checks and cache hits of all instances or of one',
    auth: 'administrator',
    query: z.object({ scope: z.enum(['cluster', 'instance']).optional() }),
    responses: { 200: observability },
  },
  ...referenceEndpoints,
] as const satisfies readonly Endpoint[]
