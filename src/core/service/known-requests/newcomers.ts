import { toLatin1 } from "../../kit/bytes.ts"
import { FormatError } from "../../kit/errors.ts"
import { parseNameAddress } from "../../sip/name-address.ts"
import { VALUE_END, VALUE_START } from "../../sip/scan.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import type { Flow } from "../../sip/transport.ts"
import { parseUri } from "../../sip/uri.ts"
import { type Names, readUri } from "../names.ts"
import { isCSeq, isWord, type ReadVia, readAddress, readForwards, readVia } from "../routing/plain-fields.ts"
import { CALL_ID, CSEQ, FROM, type Skeleton, TO, VIA } from "./skeleton.ts"

const MAX_FORWARDS = headerNumber("Max-Forwards")
const CONTACT = headerNumber("Contact")

/** What the general way refuses by, or has to read. */
const UNUSUAL = ["Require", "Proxy-Require", "Route", "Path"].map(headerNumber)

/** Whom a REGISTER speaks of, and what tells it from others. */
export interface Newcomer {
  readonly aor: string
  readonly callId: string
  readonly via: ReadVia
}

/**
 * Recognizes a REGISTER without credentials of which nothing is to be said but that it lacks them, whoever sends it: what
 * `validateMessage` asks of a REGISTER holds of it, and it names somebody of the domain. Written as most phones do; of anything
 * else the general way has to judge (test/contract/shortcuts.test.ts shows that the same comes of both).
 */
export class Newcomers {
  readonly #names: Names
  /** The latest Request-URI that means the domain, which nearly all of them are. */
  #ours: string | undefined

  constructor(names: Names) {
    this.#names = names
  }

  /** Names may mean something else from now on. */
  forget(): void {
    this.#ours = undefined
  }

  /** Of the REGISTER that `skeleton` has read. */
  read(bytes: Uint8Array, { scan, rportEnd }: Skeleton, flow: Flow): Newcomer | undefined {
    // Without rport the answer may have to go elsewhere.
    if (flow.transport !== "UDP" || rportEnd < 0 || scan.countOf(CONTACT) > 1) return undefined
    for (const number of UNUSUAL) if (scan.first(number) >= 0) return undefined
    const text = toLatin1(bytes)
    const value = (place: number) =>
      text.slice(scan.fields[place + VALUE_START]!, scan.fields[place + VALUE_END]!)
    const to = value(scan.first(TO))
    const [address, callId] = [readAddress(to), value(scan.first(CALL_ID))]
    if (address === undefined || address.isTagged || readAddress(value(scan.first(FROM))) === undefined)
      return undefined
    const via = readVia(value(scan.first(VIA)), flow)
    if (via === undefined || !isWord(callId) || !isCSeq(value(scan.first(CSEQ)), "REGISTER")) return undefined
    const [forwards, contact] = [scan.first(MAX_FORWARDS), scan.first(CONTACT)]
    if (forwards >= 0 && readForwards(value(forwards)) === undefined) return undefined
    if (contact >= 0 && !isSound(value(contact))) return undefined
    if (!this.#isOurs(text.slice(scan.uriStart, scan.uriEnd), flow)) return undefined
    const aor = this.#names.aorOf(to.slice(address.start, address.end), flow.transport)
    return aor === undefined ? undefined : { aor, callId, via }
  }

  #isOurs(text: string, { transport }: Flow): boolean {
    if (text === this.#ours) return true
    const uri = readUri(text)
    if (uri === undefined || !this.#names.isOurs(uri, transport) || uri.headers !== "") return false
    this.#ours = text
    return true
  }
}

/** Whether it is one contact, and one that can be read; of several the general way has to judge. */
function isSound(contact: string): boolean {
  if (contact === "*") return true
  if (contact === "" || contact.includes(",")) return false
  try {
    parseUri(parseNameAddress(contact).uri)
    return true
  } catch (error) {
    if (error instanceof FormatError) return false
    throw error
  }
}
