import { readFileSync } from 'node:fs'
import path from 'node:path'
import { listFiles, packageOf } from '../files.ts'
import { findMarkers, type Hit } from './markers.ts'
import { countWords, coverCode, type Kind, lineAt, type Passage } from './passage.ts'
import { passagesOfComments, passagesOfDocument } from './plain-text.ts'
import { passagesOfSource } from './source-text.ts'

export interface Place extends Hit {
  file: string
  line: number
  kind: Kind
}

export interface Survey {
  package: string
  words: number
  hits: Place[]
}

const FILES = '**/*.{ts,tsx,md,sh,yaml,yml,cfg,conf,sql,ini,lua,css}'
const ROOT_FILES = '{*.md,*.ts,*.yaml,docs/**/*.md,.ci/*}'

/** Hits and words of every package, app, folder of infra, e2e and the documents of the root. */
export function surveyLanguage(root: string): Survey[] {
  const files = listFiles(root, `{apps,packages,infra,e2e}/${FILES}`, ROOT_FILES)
  const surveys = new Map<string, Survey>()
  for (const file of files) {
    const name = packageOf(file)
    const survey = surveys.get(name) ?? { package: name, words: 0, hits: [] }
    surveys.set(name, survey)
    const text = readFileSync(path.join(root, file), 'utf8')
    for (const passage of passagesOf(file, text)) {
      if (passage.kind !== 'name') survey.words += countWords(coverCode(passage.text))
      for (const hit of findMarkers(passage)) {
        survey.hits.push({ ...hit, file, line: lineAt(text, hit.start), kind: passage.kind })
      }
    }
  }
  return [...surveys.values()].toSorted((a, b) => a.package.localeCompare(b.package))
}

export function passagesOf(file: string, text: string): Passage[] {
  if (/\.tsx?$/.test(file)) return passagesOfSource(file, text)
  if (file.endsWith('.md')) return passagesOfDocument(text)
  return passagesOfComments(text, /\.(sql|lua)$/.test(file) ? '--' : '#')
}
