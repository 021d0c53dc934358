import { HEADER_TABLE } from "./header-table.ts"
import {
  FIELD_NUMBER,
  FIELD_STRIDE,
  type MessageScan,
  NAME_END,
  NAME_START,
  VALUE_END,
  VALUE_START,
} from "./scan.ts"
import { headerNumber, UNKNOWN } from "./scan-names.ts"

const SPACE = 32
const COLON = 58
const ZERO = 48

const CONTENT_LENGTH = headerNumber("Content-Length")
const NAMES = HEADER_TABLE.map(({ name }) => Uint8Array.from(name, (letter) => letter.charCodeAt(0)))

/**
 * Whether `serializeMessage` would write the header fields of a scanned message as they stand there: names as the header
 * table spells them, one space behind the colon and none at the end, and the body's length in Content-Length.
 */
export function isWrittenOurWay(scan: MessageScan, bytes: Uint8Array): boolean {
  const { fields, count, bodyStart } = scan
  for (let place = 0, left = count; left > 0; left--, place += FIELD_STRIDE) {
    const nameEnd = fields[place + NAME_END]!
    const lineEnd = (left === 1 ? bodyStart - 2 : fields[place + FIELD_STRIDE + NAME_START]!) - 2
    if (fields[place + VALUE_END] !== lineEnd || fields[place + VALUE_START] !== nameEnd + 2) return false
    if (bytes[nameEnd] !== COLON || bytes[nameEnd + 1] !== SPACE) return false
    const number = fields[place + FIELD_NUMBER]!
    if (number === UNKNOWN) continue
    const name = NAMES[number]!
    const nameStart = fields[place + NAME_START]!
    if (nameEnd - nameStart !== name.length) return false
    for (let at = 0; at < name.length; at++) if (bytes[nameStart + at] !== name[at]) return false
  }
  const length = scan.first(CONTENT_LENGTH)
  if (length < 0) return false
  const [start, end] = [fields[length + VALUE_START]!, fields[length + VALUE_END]!]
  return end - start === 1 || bytes[start] !== ZERO
}
