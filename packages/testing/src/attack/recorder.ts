import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/** A request as an upstream received it. */
export interface Seen {
  /** The id of the check in its target, or an empty string. */
  id: string
  method: string
  url: string
  headers: readonly (readonly [name: string, value: string])[]
  body: string
}

/** The response of the recorder to the requests of one check. */
interface Script {
  bytes: string
  holds: boolean
}

export interface Recorder extends AsyncDisposable {
  /** Requests with this id receive these bytes. */
  script(id: string, script: Script): void
  /** The requests of a check; those of health checks are not recorded. */
  seen(id: string): readonly Seen[]
  /** The first bytes of what a strict parser refused. */
  malformed(): readonly string[]
  ports: readonly number[]
}

/** The mark of an upstream's internal text, which no client may receive from a proxy's problem. */
export const SECRET_TEXT = 'internal-text-of-the-upstream'

async function record(req: IncomingMessage, res: ServerResponse, entry: Seen): Promise<void> {
  try {
    entry.body = await text(req)
    res.setHeader('Content-Type', 'application/json').end('{"recorded":true}')
  } catch {
    // The front cut the body.
    res.destroy()
  }
}

const ID = /check-\d+/

/**
 * An upstream that stores each request, and responds with the bytes of the check's script. It is ready for
 * health checks. Several ports take the places of several services.
 */
export async function startRecorder(ports: readonly number[], host: string): Promise<Recorder> {
  const scripts = new Map<string, Script>()
  const seen: Seen[] = []
  const malformed: string[] = []

  function createOne(): Server {
    const server = createServer({ maxHeaderSize: 131_072, keepAliveTimeout: 0 }, (req, res) => {
      const { method = '', url = '', rawHeaders } = req
      if (/^\/(readyz|livez|health)$/.test(url)) {
        if (req.headers['x-attack'] === undefined) return void res.end('{"ready":true}')
      }
      const id = ID.exec(url)?.[0] ?? req.headers['x-attack']?.toString() ?? ''
      const headers = rawHeaders.flatMap((name, i) =>
        i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ''] as const] : [],
      )
      const entry: Seen = { id, method, url, headers, body: '' }
      seen.push(entry)
      const script = scripts.get(id)
      if (script) {
        req.resume()
        req.socket.write(script.bytes, 'latin1')
        if (!script.holds) req.socket.end()
        return
      }
      void record(req, res, entry)
    })
    server.on('clientError', (error: Error & { rawPacket?: Buffer }, socket) => {
      // A connection that a front cut in the middle of a body is no malformed request.
      if ('code' in error && String(error.code).startsWith('HPE_') && error.rawPacket) {
        if (!/INVALID_EOF_STATE/.test(String(error.code))) {
          malformed.push(error.rawPacket.toString('latin1').slice(0, 300))
        }
      }
      // As the server of an instance does.
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
      else socket.destroy()
    })
    return server
  }

  const servers = ports.map(createOne)
  await Promise.all(
    servers.map(async (server, i) => {
      server.listen(ports[i], host)
      await once(server, 'listening')
    }),
  )
  return {
    ports: servers.map((server) => {
      const address = server.address()
      return address && typeof address === 'object' ? address.port : 0
    }),
    script: (id, script) => void scripts.set(id, script),
    seen: (id) => seen.filter((each) => each.id === id),
    malformed: () => malformed,
    async [Symbol.asyncDispose]() {
      await Promise.all(
        servers.map(async (server) => {
          server.close()
          server.closeAllConnections()
          await once(server, 'close')
        }),
      )
    },
  }
}
