import { formatAddress } from "../../kit/address.ts"
import { FormatError } from "../../kit/errors.ts"
import { LIMITS } from "../../kit/limits.ts"
import { ownText } from "../../kit/own-text.ts"
import { type Duration, seconds } from "../../kit/time.ts"
import {
  callIdOf,
  contactExpiresOf,
  contactsOf,
  cseqOf,
  expiresOf,
  qOf,
  supportedOf,
  valuesOf,
} from "../../sip/fields.ts"
import type { SipRequest } from "../../sip/message.ts"
import { type NameAddress, parseNameAddress } from "../../sip/name-address.ts"
import type { Flow } from "../../sip/transport.ts"
import { readUri } from "../names.ts"
import { type Refusal, refuse } from "../refusal.ts"
import { reachOf } from "../routing/reach.ts"
import type { Binding } from "../stores.ts"

/** One contact of a REGISTER, as it is to be bound or removed. */
export interface RequestedContact {
  readonly binding: Omit<Binding, "expires" | "version">
  /** How long it is bound; nothing: it is removed. */
  readonly granted: Duration
  /** The flow is ours to keep open: an empty line every now and then. */
  readonly keptOpen: boolean
}

/** What a REGISTER asks for. */
export interface Registration {
  readonly aor: string
  readonly callId: string
  readonly cseq: number
  /** `all`: `Contact: *`, everything is removed. Empty: the phone only asks. */
  readonly contacts: "all" | readonly RequestedContact[]
  /** RFC 5626 applies, so that the answer has to say so. */
  readonly outbound: boolean
  readonly path: readonly string[]
}

export interface RegistrarRules {
  readonly registration: { readonly min: Duration; readonly default: Duration; readonly max: Duration }
  /** The token by which this flow is found again; undefined where it has none. */
  readonly flowToken: (flow: Flow) => string | undefined
}

/** The doors of a NAT close after a minute or more: a phone behind one comes back before we lose it. */
const KEPT_OPEN = seconds(120)

/** An interval of an hour or more is never too brief. RFC 3261 §10.3 step 7. */
const NEVER_BRIEF = 3_600

/** Reads what a REGISTER for `aor` asks for. RFC 3261 §10.3 steps 6 and 7, RFC 3327, RFC 5626 §6. */
export function readRegistration(
  request: SipRequest,
  flow: Flow,
  aor: string,
  rules: RegistrarRules,
): Registration | Refusal {
  try {
    return new Reader(request, flow, rules).read(aor)
  } catch (error) {
    if (error instanceof FormatError) return refuse(400, error.message)
    throw error
  }
}

class Reader {
  readonly #request: SipRequest
  readonly #flow: Flow
  readonly #rules: RegistrarRules
  readonly #path: readonly string[]
  readonly #callId: string
  readonly #cseq: number

  constructor(request: SipRequest, flow: Flow, rules: RegistrarRules) {
    this.#request = request
    this.#flow = flow
    this.#rules = rules
    this.#path = valuesOf(request, "Path").map(ownText)
    this.#callId = ownText(callIdOf(request))
    this.#cseq = cseqOf(request).number
  }

  read(aor: string): Registration | Refusal {
    const contacts = contactsOf(this.#request)
    const common = { aor, callId: this.#callId, cseq: this.#cseq, path: this.#path }
    if (contacts === "*") {
      const isRemoval = expiresOf(this.#request) === 0
      return isRemoval
        ? { ...common, contacts: "all", outbound: false }
        : refuse(400, "Contact * needs Expires 0")
    }
    if (contacts.length > LIMITS.sip.contactsPerAor) return refuse(403, "too many contacts")
    if (this.#path.length > LIMITS.sip.pathValues) return refuse(400, "too many Path values")
    const claims = contacts.some(isOutbound)
    const applies = claims && this.#firstHopSupportsOutbound()
    const asks = supportedOf(this.#request).includes("outbound")
    if (claims && !applies && asks) return refuse(439, "reg-id through a proxy without outbound")
    const requested: RequestedContact[] = []
    for (const contact of contacts) {
      const read = this.#readContact(contact, applies)
      if ("cause" in read) return read
      requested.push(read)
    }
    const bound = requested.filter(({ granted }) => granted > 0)
    if (bound.length > 1 && bound.some(({ binding }) => binding.regId !== undefined))
      return refuse(400, "reg-id beside other contacts")
    return { ...common, contacts: requested, outbound: applies && asks }
  }

  #readContact(contact: NameAddress, outbound: boolean): RequestedContact | Refusal {
    if (readUri(contact.uri)?.kind !== "sip") return refuse(400, "Contact is no SIP URI")
    const { min, default: usual, max } = this.#rules.registration
    const asked = contactExpiresOf(contact) ?? expiresOf(this.#request) ?? usual / 1_000
    if (asked > 0 && asked < NEVER_BRIEF && seconds(asked) < min)
      return refuse(423, `${asked} s is too brief`, [{ name: "Min-Expires", value: `${min / 1_000}` }])
    const instance = instanceOf(contact)
    const regId = outbound && instance !== undefined ? regIdOf(contact) : undefined
    const reach = this.#reach(contact, regId)
    const flow = reach === "contact" ? undefined : this.#rules.flowToken(this.#flow)
    const keptOpen = reach === "kept-open" && flow !== undefined
    const binding = {
      contact: ownText(contact.uri),
      parameters: ownText(contact.parameters.without("q").without("expires").toString()),
      q: qOf(contact),
      path: this.#path,
      callId: this.#callId,
      cseq: this.#cseq,
      instance,
      regId,
      transport: this.#flow.transport,
      source: ownText(formatAddress(this.#flow.remote)),
      flow,
    }
    const size = binding.contact.length + binding.parameters.length + this.#path.join().length
    if (size + this.#callId.length > LIMITS.sip.bindingText) return refuse(400, "Contact is too long")
    const granted = Math.min(seconds(asked), max, keptOpen ? KEPT_OPEN : max) as Duration
    return { binding, granted, keptOpen }
  }

  /** By its Path first; a flow that the phone keeps (reg-id) needs no help of ours. */
  #reach(contact: NameAddress, regId: number | undefined) {
    if (this.#path.length > 0) return "contact"
    return regId === undefined ? reachOf(this.#request, contact.uri, this.#flow) : "flow"
  }

  /** RFC 5626 §6: ours is the first hop, or the proxy that is has put `ob` into its Path. */
  #firstHopSupportsOutbound(): boolean {
    const first = this.#path[0]
    if (first === undefined) return valuesOf(this.#request, "Via").length === 1
    const uri = readUri(parseNameAddress(first).uri)
    return uri?.kind === "sip" && uri.parameters.has("ob")
  }
}

const isOutbound = (contact: NameAddress): boolean =>
  contact.parameters.has("reg-id") && instanceOf(contact) !== undefined

/** `+sip.instance="<urn:uuid:…>"` without quotes and brackets. RFC 5626 §4.1. */
function instanceOf(contact: NameAddress): string | undefined {
  const value = contact.parameters.getUnquoted("+sip.instance")
  return value === undefined || value === "" ? undefined : value.replace(/^<(.*)>$/, "$1")
}

/** 1 to 2^31 - 1, RFC 5626 §4.2; anything else counts as none. */
function regIdOf(contact: NameAddress): number | undefined {
  const text = contact.parameters.get("reg-id") ?? ""
  const id = /^\d{1,10}$/.test(text) ? Number(text) : 0
  return id >= 1 && id < 2 ** 31 ? id : undefined
}
