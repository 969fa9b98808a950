import { styleText } from 'node:util'
import type { LogLine } from './log-line.ts'
import type { Level } from './options.ts'

const COLOURS: Record<Level, Parameters<typeof styleText>[0]> = {
  trace: 'dim',
  debug: 'dim',
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: ['bold', 'red'],
}
/** Controls, separators of lines and marks of direction: a client can choose them in a path. */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu
/** Fields that the beginning of a line shows, or that are the same in all lines of an instance. */
const SHOWN = new Set(['level', 'time', 'app', 'instance', 'version', 'msg', 'trace', 'err'])
const OF_REQUESTS = new Set([
  'event',
  'method',
  'path',
  'status',
  'ms',
  'bytes',
  'upstream',
  'tries',
])

/** Returns a line for a person. Colours appear only on a terminal. */
export function formatLine({ fields, instance, level, text }: LogLine): string {
  const time = valueOf(fields?.['time'] ?? '').slice(11, 23)
  const start = `${styleText('dim', time.padEnd(12))} ${printable(instance.padEnd(11))} ${styleText(COLOURS[level], level.padEnd(5))}`
  if (!fields) return `${start} ${printable(text)}`
  const isRequest = fields['event'] === 'request' && fields['method'] !== undefined
  const message = isRequest ? requestOf(fields) : valueOf(fields['msg'] ?? '')
  const rest = Object.entries(fields)
    .filter(([name]) => !SHOWN.has(name) && !(isRequest && OF_REQUESTS.has(name)))
    .map(([name, value]) => `${printable(name)}=${valueOf(value)}`)
    .join(' ')
  const end = rest === '' ? '' : ` ${styleText('dim', rest)}`
  return `${start} ${message}${end}${errorOf(fields['err'])}`
}

/** `GET /api/me 200 3.4 ms, 514 B, from auth-2 after 2 tries`, without what the line does not have. */
function requestOf(fields: Record<string, unknown>): string {
  const { method, path, status, ms, bytes, upstream, tries } = fields
  const colour = Number(status) >= 500 ? 'red' : Number(status) >= 400 ? 'yellow' : 'green'
  const size = bytes === undefined ? '' : `, ${valueOf(bytes)} B`
  const count = Number(tries) > 1 ? ` after ${Number(tries)} tries` : ''
  const from = upstream === undefined ? '' : `, from ${valueOf(upstream)}${count}`
  const parts = [
    valueOf(method),
    path === undefined ? '' : valueOf(path),
    status === undefined ? '' : styleText(colour, valueOf(status)),
    ms === undefined ? '' : `${valueOf(ms)} ms`,
  ]
  return `${parts.filter(Boolean).join(' ')}${size}${from}`
}

/** The stack of an error and of each error that caused it. */
function errorOf(error: unknown): string {
  if (!isObject(error)) return ''
  const { message, stack, cause } = error
  const lines = textOf(stack ?? message ?? '').split('\n')
  const text = lines.map((line) => `\n    ${styleText('dim', printable(line))}`).join('')
  return `${text}${errorOf(cause)}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function valueOf(value: unknown): string {
  return printable(textOf(value))
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Escapes the characters that can end or reorder a line, or that a terminal would execute. */
function printable(text: string): string {
  return text.replace(CONTROLS, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
