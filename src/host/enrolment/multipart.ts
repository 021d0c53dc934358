import { randomBytes } from "node:crypto"

// multipart/form-data, RFC 7578, as far as RFC 6940 §11.3 uses it: a few small fields.

const MOST_FIELDS = 16
const MOST_HEADER_BYTES = 1_024

export interface FormField {
  readonly name: string
  readonly type?: string
  readonly value: Uint8Array
}

export interface Form {
  readonly contentType: string
  readonly body: Uint8Array
}

export function writeForm(fields: readonly FormField[]): Form {
  const boundary = `carillon-${randomBytes(16).toString("hex")}`
  const parts = fields.flatMap(({ name, type, value }) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n` +
        `${type === undefined ? "" : `Content-Type: ${type}\r\n`}\r\n`,
    ),
    value,
    Buffer.from("\r\n"),
  ])
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]),
  }
}

/** The fields by name; undefined for what is no such form, or has a name twice. */
export function readForm({ contentType, body }: Form): ReadonlyMap<string, Uint8Array> | undefined {
  const [, quoted, plain] =
    /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined) return undefined
  const fields = new Map<string, Uint8Array>()
  // The first delimiter may stand at the very beginning, the others stand behind a line's end.
  const bytes = Buffer.concat([Buffer.from("\r\n"), body])
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  let at = bytes.indexOf(delimiter)
  while (at >= 0) {
    const start = at + delimiter.length
    if (bytes.toString("latin1", start, start + 2) === "--") return fields
    const end = bytes.indexOf(delimiter, start)
    const blank = bytes.indexOf("\r\n\r\n", start)
    if (end < 0 || blank < 0 || blank > Math.min(end, start + MOST_HEADER_BYTES)) return undefined
    if (fields.size === MOST_FIELDS) return undefined
    const name = fieldName(bytes.toString("latin1", start, blank))
    if (name === undefined || fields.has(name)) return undefined
    fields.set(name, Uint8Array.from(bytes.subarray(Math.min(blank + 4, end), end)))
    at = end
  }
  return undefined
}

const fieldName = (headers: string): string | undefined =>
  /^content-disposition\s*:\s*form-data\s*;(?:.*;)?\s*name=(?:"([^"]*)"|([^\s;"]+))/im
    .exec(headers)
    ?.slice(1)
    .find((each) => each !== undefined)
