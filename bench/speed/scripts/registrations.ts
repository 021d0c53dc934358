import { credentials, type Phone, type Place, phoneOf, plainContact, register } from "../wire.ts"
import { firstLine, type Line, nonceOf, PROBE_EVERY, type Script } from "./script.ts"

interface Doing {
  phone: Phone
  /** With a wrong password, on purpose. */
  isProbe: boolean
  hasCredentials: boolean
  contact: string
}

/** REGISTER: plain, refreshed with a known nonce, challenged each time, or changed each time. */
export class Registrations implements Script {
  readonly #line: Line
  readonly #place: Place
  readonly #phones: readonly Phone[]
  readonly #doing: Doing[] = []
  #begun = 0

  constructor(line: Line, place: Place) {
    this.#line = line
    this.#place = place
    this.#phones = Array.from({ length: line.order.users }, (_, number) => phoneOf(number, place.domain))
  }

  begin(slot: number): boolean {
    const number = this.#line.nextUser()
    if (number === undefined) return false
    const { workload, digest } = this.#line.order
    const phone = this.#phones[number]!
    const isProbe = digest && ++this.#begun % PROBE_EVERY === 0
    if (workload === "register-digest") phone.nonce = undefined
    const contact = workload === "register-change" ? this.#changed(phone) : plainContact(this.#place, phone)
    this.#doing[slot] = { phone, isProbe, hasCredentials: false, contact }
    this.#send(slot)
    return true
  }

  answered(slot: number, status: number, text: string): void {
    const { phone, isProbe, hasCredentials } = this.#doing[slot]!
    const { digest } = this.#line.order
    if (status === 100) return
    if (status === 401 && !(hasCredentials && isProbe)) {
      this.#line.challenges++
      const nonce = nonceOf(text)
      if (nonce === undefined || (hasCredentials && !text.includes("stale=true"))) this.#fail(slot, text)
      else {
        phone.nonce = nonce
        phone.count = 0
        this.#send(slot)
      }
    } else if (isProbe && hasCredentials) {
      this.#line.probes++
      if (status === 401 || status === 403) this.#line.probesRefused++
      else this.#line.complain(`a wrong password was answered: ${firstLine(text)}`)
      phone.nonce = undefined
      this.#doing[slot]!.isProbe = false
      this.#doing[slot]!.hasCredentials = false
      this.#send(slot)
    } else if (status !== 200 || !text.includes(`<sip:${phone.user}@`) || (digest && !hasCredentials)) {
      this.#fail(slot, text)
    } else {
      this.#line.measure(slot)
      this.#line.finished(slot)
    }
  }

  #fail(slot: number, text: string): void {
    this.#line.complain(`REGISTER of ${this.#doing[slot]!.phone.user}: ${firstLine(text)}`)
    this.#line.finished(slot)
  }

  #send(slot: number): void {
    const doing = this.#doing[slot]!
    const { phone, isProbe } = doing
    const { domain } = this.#place
    const branch = this.#line.branch(slot)
    doing.hasCredentials = phone.nonce !== undefined
    const authorization = doing.hasCredentials
      ? credentials("Authorization", phone, "REGISTER", `sip:${domain}`, domain, isProbe)
      : ""
    this.#line.ask(slot, register(this.#place, phone, branch, authorization, doing.contact))
  }

  /** The same phone by RFC 5626, at another address each time. */
  #changed(phone: Phone): string {
    const instance = `<urn:uuid:00000000-0000-1000-8000-${phone.user.slice(1).padStart(12, "0")}>`
    const { host, port } = this.#place
    const uri = `sip:${phone.user}@${host}:${port};line=${phone.cseq}`
    return `Supported: outbound, path\r\nContact: <${uri}>;+sip.instance="${instance}";reg-id=1`
  }
}
