import { type PathRule, pathRules } from '@repo/proxy'

const HEX = '[0-9A-Fa-f]'
const NOT_HEX = '[^0-9A-Fa-f]'

/**
 * The rules of `findPathFault` as regular expressions that PCRE and JavaScript read alike, without a
 * quote. A path without a fault matches none, and a path that begins with a slash and has a fault
 * matches the expression of a rule that it breaks.
 */
export const pathPatterns: Readonly<Record<Exclude<PathRule, 'absolute'>, string>> = {
  'empty-segment': '//',
  'dot-segment': '/[.][.]?(/|$)',
  backslash: '[\\x5c]',
  character: '[^A-Za-z0-9_~!\\x24&\\x27()*+,;=:@\\x5b\\x5c\\x5d|/.%-]',
  escape: `%($|${NOT_HEX}|${HEX}($|${NOT_HEX}))`,
  'escaped-separator': '%(2[Ff]|5[Cc])',
  'escaped-control': `%([01]${HEX}|7[Ff])`,
  'escaped-unreserved': '%(2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])',
}

/** A part of every path with a fault: most paths need no other comparison. */
export const UNUSUAL = '[^A-Za-z0-9_./-]|//|/[.]'

/** The rules in the order in which they are compared, with the problem document of each. */
export function pathProblems(): { name: string; pattern: string; problem: string }[] {
  return Object.entries(pathPatterns).map(([rule, pattern]) => ({
    name: rule.replaceAll('-', '_'),
    pattern,
    problem: problemOf(Object.entries(pathRules).find(([name]) => name === rule)?.[1] ?? ''),
  }))
}

/** The problem document of a refused path. */
export function problemOf(detail: string): string {
  const type = 'urn:threefold:problem:misspelt-path'
  return JSON.stringify({ type, title: 'Bad Request', status: 400, detail })
}
