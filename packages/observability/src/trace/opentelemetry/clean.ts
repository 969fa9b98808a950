/** The attributes of libraries whose texts are recorded: names from code, and no value of a client. */
const RECORDED = new Set([
  ...['http.request.method', 'http.method', 'http.route', 'next.route', 'error.type'],
  ...['next.span_name', 'next.span_type', 'next.rsc'],
  ...['db.system', 'db.system.name', 'db.operation.name', 'db.collection.name'],
  ...['rpc.system', 'rpc.service', 'rpc.method', 'messaging.system', 'messaging.operation.name'],
  ...['network.protocol.name', 'network.protocol.version', 'code.function.name'],
])

/** Whether the text of this attribute of a library is recorded. */
export function isRecorded(key: string): boolean {
  return RECORDED.has(key)
}

// `https://host/path?query`, a query, an e-mail address, and a word that can be an id or a token.
const URL_TEXT = /([a-z][a-z0-9+.-]*:\/\/)\S+/gi
const QUERY = /\?\S*/g
const ADDRESS = /[^\s/]+@[^\s/]+/g
const ID = /(?=[\w+=~.-]*\d)[\w+=~.-]{16,}/g

/** Returns the name of a library span without the parts that can be values of a client. */
export function cleanName(name: string): string {
  return name
    .slice(0, 400)
    .replace(URL_TEXT, '$1…')
    .replace(QUERY, '')
    .replace(ADDRESS, '…')
    .replace(ID, '…')
}
