import { coverCode, type Passage } from './passage.ts'
import { standsAlone } from './titles.ts'

/** The beginning of a sentence, a clause, a cell of a table or an item of a list. */
const BEGIN = String.raw`(?<=(?:^|[.!?:;|(]\s|\n\s*\n)[\s*_"']*)`

/** The words to write instead, and the phrases. A space is any white space, `^` any beginning. */
const PHRASES: [instead: string, ...phrases: RegExp[]][] = [
  ['a sentence that begins with its subject', /^of/],
  ['a noun', /^(who|whose|what)(?![^.]*\?)/, /whom|whoever|whomever/, /of which|of whose/],
  ['a noun', /(by|of|for|to|from|with|than|and|or|but) who/, /(by|of|with|in|than|from|for) what/],
  ['a user, an instance, no request', /nobody|no one|somebody|someone|everybody/],
  [
    'is unavailable, is unreachable',
    /(?<!(right|straight|far|tak\w+|took|throw\w*|giv\w+|optimi[sz]\w+) )away/,
    /(is|are|was|were|be|been|being) gone/,
    /(does|do|did) not answer/,
  ],
  ['again', /anew|once more/],
  ['sends, publishes, reports', /told|tells?|telling/],
  ['receives, reads', /heard|hears?|hearing/],
  ['reports, states', /said|saying/, /(?<!(RFC \d+|documentation|standard|manual) )says?/],
  ['cached, registered, valid', /(?<!well-)known/, /knows?|knew|knowing/],
  ['stored, cached, unchanged', /kept(?! in \|)/, /remember(s|ed)?/, /forg[eo]t(s|ten)?/],
  ['requests, checks', /asks|asked|asking/],
  ['trusts, accepts', /believ(e|es|ed)/],
  ['receives, encounters', /meets|(?<!(is|are|be) )met/],
  ['treated as', /taken for/],
  ['in flight, in progress', /under ?way/, /on (its|their) way/],
  ['the number of', /(so|as) many/, /so much/, /however (many|much|long|often)/],
  ['any', /whatever/, /whichever(?! comes first)/],
  ['the request path', /the way of/],
  ['our, its', /ours|theirs/, /of (its|their|our|your) own/],
  ['recent', /made so far/],
  ['most limited', /limited most/],
  ['a message, an event', /news/],
  ['exists, is sent', /(is|are|was|were) there(?=[.,;:)]| (before|when|again)|$)/],
  ['has ended', /(is|are|was|were) over(?=[.,;:)]|$)/],
  ['continues', /(goes|go|went) on/],
  ['otherwise', /(?<=[,;] )else/, /or else/],
  ['except', /but for|save for/],
  ['at the same time', /(?<!^)meanwhile/],
  ['has no, has 0', /(has|have|had|makes?|takes?|gets?|gives?|leaves?|finds?) none(?! of)/],
  ['a direct verb', /(is|are|was|were) to be/, /can be had/],
  ['for this reason', /thereby|whereby|thereof|therein|hereby|hence|thus|lest/],
  ['is', /stands? (in|at|on|under|there|by)|stood/],
  ['like this', /(built|made|done|is|are) so(?=[.,;:)]|$)/],
  ['available', /at hand|in vain/],
]

/** Names of variables, parameters and functions that are neither nouns nor verbs. */
const NAMES = /^(of|told|known|some|more|own|life|stands|fits|who|whom|it|these|those|anew|gone)$/

export interface Hit {
  type: 'name' | 'phrase' | 'title'
  text: string
  /** The words to write. */
  instead: string
  /** The offset in the file. */
  start: number
}

const MARKERS = PHRASES.flatMap(([instead, ...phrases]) =>
  phrases.map((phrase) => ({ instead, pattern: compile(phrase) })),
)

function compile({ source }: RegExp): RegExp {
  const phrase = source.replace(/^\^|(?<=^\(\?<!)\^/, BEGIN).replaceAll(' ', '\\s+')
  return new RegExp(`(?<!\\w)(?:${phrase})(?![\\w-])`, 'gi')
}

/** Finds phrases, names and titles that are not plain English. */
export function findMarkers({ kind, text, start }: Passage): Hit[] {
  if (kind === 'name') {
    return NAMES.test(text) ? [{ type: 'name', text, instead: 'a noun or a verb', start }] : []
  }
  const title = {
    type: 'title' as const,
    text: text.trim(),
    instead: 'a complete statement',
    start,
  }
  const prose = coverCode(text)
  const phrases = MARKERS.flatMap(({ instead, pattern }) =>
    [...prose.matchAll(pattern)].map((match) => ({
      type: 'phrase' as const,
      text: match[0].replace(/\s+/g, ' '),
      instead,
      start: start + match.index,
    })),
  )
  return [...(kind === 'title' && !standsAlone(text) ? [title] : []), ...phrases].toSorted(
    (a, b) => a.start - b.start,
  )
}
