/** Words with which a title continues the title of its group. */
const CONTINUATIONS = [
  'that|which|who|what|it|they|and|but|also|because|not|up|even|never',
  'is|are|was|has|have|had|does|do|can|cannot|may|must|gets?|gives?|goes|comes?|stays?|lives?',
  'accepts?|adds?|allows?|appends?|applies|asks?|backs|begins?|boots|brings?|caches|clears?|closes',
  'commits|compares?|connects?|contains?|continues?|counts|creates?|cuts|decides?|declares?|delays',
  'deletes?|describes?|disconnects?|drains|drops|encodes?|ends|enforces?|exits|expires?|fails',
  'finds?|forgets?|forwards?|frees|hashes|holds?|ignores?|keeps?|leaves|lets|loads|loses?|makes?',
  'needs?|omits?|opens|outlives?|parses?|passes|prefers?|preserves?|prints?|prolongs?|publishes',
  'puts|reads?|receives?|refreshes|refuses?|registers?|rejects?|removes?|renews?|repeats?|replays?',
  'resolves?|restores?|retries|returns?|revokes?|rolls|runs|says?|sees?|sends?|serves?|settles?',
  'shows?|starts|stops|strips?|survives?|takes?|tells?|throws?|treats?|uses|verifies|waits?|works',
  'writes?',
].join('|')

/** These are also nouns: they are verbs before a determiner. */
const NOUNS = [
  'answers|blocks|calls|changes|checks|costs?|figures|limits|lists|locks|logs|names|records|releases',
  'replaces|reports|sets|signs|stores',
].join('|')
const DETERMINERS = 'the|an?|each|every|its|their|all|no|one|both|only|nothing|another|any|this'

const CONTINUED = new RegExp(
  `^(?:(?:${CONTINUATIONS})|(?:${NOUNS}) (?:${DETERMINERS}))(?![\\w-])`,
  'i',
)

/** A title is a complete statement, which is understood without the title of its group. */
export function standsAlone(title: string): boolean {
  const statement = title.trim().replace(/^[A-Z]\d+: /, '')
  return statement.split(/\s+/).length >= 4 && !CONTINUED.test(statement)
}
