import type { Report } from '../report.ts'
import { type Place, type Survey, surveyLanguage } from './survey.ts'

/** Markers per 1,000 words. Peers such as pg-boss, hono and BullMQ have 0.1 to 1.1. */
const MAX_RATE = 1.5

/**
 * Checks comments, documents, messages, test titles, page copy and names for plain English.
 *
 * @param only checks one package, and lists all its hits
 * @returns the lines to print, and whether a package fails
 */
export function checkLanguage(root: string, only?: string): Report {
  const surveys = surveyLanguage(root)
  const chosen = surveys.filter((survey) => only === undefined || survey.package === only)
  if (chosen.length === 0) {
    const names = surveys.map((survey) => survey.package).join(', ')
    return { lines: [`no package ${only}; there are ${names}`], isFailed: true }
  }
  const failed = chosen.filter((survey) => faultsOf(survey).length > 0)
  const listed = only === undefined ? failed : chosen
  return {
    lines: [...listed.flatMap(({ hits }) => hits.map(describe)), ...chosen.map(summarize)],
    isFailed: failed.length > 0,
  }
}

/** Why a package fails: its rate of phrases; one phrase in page copy, one name or one title. */
export function faultsOf({ words, hits }: Survey): string[] {
  const count = (isCounted: (hit: Place) => boolean) => hits.filter(isCounted).length
  const phrases = count(({ type }) => type === 'phrase')
  const pages = count(({ kind }) => kind === 'page')
  const names = count(({ type }) => type === 'name')
  const titles = count(({ type }) => type === 'title')
  return [
    ...(phrases > (MAX_RATE * words) / 1_000 ? ['too many phrases'] : []),
    ...(pages > 0 ? [`${pages} phrases in page copy`] : []),
    ...(names > 0 ? [`${names} names`] : []),
    ...(titles > 0 ? [`${titles} titles that do not stand alone`] : []),
  ]
}

function describe({ file, line, kind, text, instead }: Place): string {
  return `${file}:${line} ${kind} "${text}": write ${instead}`
}

function summarize(survey: Survey): string {
  const phrases = survey.hits.filter(({ type }) => type === 'phrase').length
  const rate = survey.words === 0 ? 0 : (phrases / survey.words) * 1_000
  const figures = `${rate.toFixed(1)} per 1,000 words (${phrases} in ${survey.words})`
  return [`${survey.package.padEnd(16)} ${figures}`, ...faultsOf(survey)].join(', ')
}
