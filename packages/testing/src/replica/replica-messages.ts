/** The messages of the IPC channel between a test and the program of a replica. */
export interface Call {
  id: number
  method: string
  arg: unknown
}

export type Reply =
  | { kind: 'ready' }
  | { kind: 'value'; id: number; value: unknown }
  | { kind: 'error'; id: number; error: RemoteError }

/** An error's class and `code` do not survive structured cloning, so they travel by name. */
export interface RemoteError {
  name: string
  message: string
  stack: string | undefined
  code: unknown
}
