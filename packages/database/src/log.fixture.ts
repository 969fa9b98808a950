/** A log that stores its lines. */
export function createTestLog() {
  const lines: { level: string; event: unknown; message: string }[] = []
  const write = (level: string) => (fields: object, message: string) => {
    lines.push({ level, event: 'event' in fields ? fields.event : undefined, message })
  }
  return { lines, info: write('info'), warn: write('warn'), error: write('error') }
}
