import { isPrefix, parseAddresses, findUrlFault } from '@repo/redis'
import { anInteger, anObjectWith, aString, requireOptions } from '../validation.ts'

const ADDRESSES = { must: 'a list of 1 to 1,000 addresses, host:port each', isValid: areAddresses }
const BOOLEAN = { must: 'true or false', isValid: (value: unknown) => typeof value === 'boolean' }

const EXPECTED = {
  required: [
    {
      name: 'url',
      must: 'the URL of a Redis server, such as redis://host:6379/0',
      isValid: (value: unknown) => typeof value === 'string' && findUrlFault(value) === undefined,
    },
    {
      name: 'name',
      must: '1 to 200 printable ASCII characters without spaces',
      isValid: (value: unknown) => typeof value === 'string' && /^[!-~]{1,200}$/.test(value),
    },
  ],
  optional: [
    anInteger('deadlineMs', 1, 60_000),
    anObjectWith('log', ['info', 'warn']),
    {
      name: 'prefix',
      must: '1 to 64 letters, digits, dots, dashes and underscores',
      isValid: (value: unknown) => typeof value === 'string' && isPrefix(value),
    },
    { name: 'sentinels', ...ADDRESSES },
    { name: 'clusterNodes', ...ADDRESSES },
    aString('sentinelUsername'),
    aString('sentinelPassword'),
    { name: 'sentinelTls', ...BOOLEAN },
    { name: 'legacyNames', ...BOOLEAN },
  ],
}

/** @throws RateLimitError `bad-option`, that names the option */
export function requireConnectionOptions(options: unknown): void {
  requireOptions(options, EXPECTED)
}

function areAddresses(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 1_000 &&
    value.every((each) => typeof each === 'string' && !each.includes(',')) &&
    parseAddresses(value.join(',')).faults.length === 0
  )
}
