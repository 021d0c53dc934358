import {
  acknowledgeRefusal,
  credentials,
  type Dialog,
  field,
  inDialog,
  lines,
  type Phone,
  type Place,
  phoneOf,
  plainContact,
  register,
  respond,
} from "../wire.ts"
import { firstLine, type Line, nonceOf, type Script } from "./script.ts"

type Stage = "registering-caller" | "registering-callee" | "idle" | "inviting" | "ending"

interface Pair {
  readonly caller: Phone
  readonly callee: Phone
  stage: Stage
  dialog: Dialog
  branch: string
  calls: number
  /** The proxy's nonce; REGISTER has its own. */
  proxyNonce: string | undefined
  proxyCount: number
}

/** Two registered phones a slot; the first calls the second again and again. */
export class Calls implements Script {
  readonly #line: Line
  readonly #place: Place
  readonly #pairs: Pair[]
  #left: number
  #registered: () => void = () => undefined
  acknowledged = 0

  constructor(line: Line, place: Place) {
    this.#line = line
    this.#place = place
    this.#left = line.order.outstanding
    this.#pairs = Array.from({ length: line.order.outstanding }, (_, slot) => ({
      caller: phoneOf(2 * slot, place.domain),
      callee: phoneOf(2 * slot + 1, place.domain),
      stage: "registering-caller" as Stage,
      dialog: this.#dialogOf(`u${2 * slot + 1}`, ""),
      branch: "",
      calls: 0,
      proxyNonce: undefined,
      proxyCount: 0,
    }))
  }

  prepare(): Promise<void> {
    for (const slot of this.#pairs.keys()) this.#register(slot)
    return new Promise((resolve) => {
      this.#registered = resolve
    })
  }

  begin(slot: number): boolean {
    const pair = this.#pairs[slot]!
    pair.calls++
    pair.stage = "inviting"
    pair.dialog = this.#dialogOf(
      pair.callee.user,
      `c${pair.calls}-${pair.caller.user}-${this.#place.port}@bench`,
    )
    this.#invite(slot)
    return true
  }

  answered(slot: number, status: number, text: string): void {
    const { stage } = this.#pairs[slot]!
    if (stage === "registering-caller" || stage === "registering-callee")
      this.#registering(slot, status, text)
    else if (stage === "inviting") this.#inviting(slot, status, text)
    else if (status === 200) this.#line.finished(slot)
    else if (status !== 100) this.#fail(slot, text)
  }

  /** The callee's phone, and the caller's where it is called. */
  asked(text: string): void {
    if (text.startsWith("ACK ")) {
      this.acknowledged++
      return
    }
    const user = text.slice(text.indexOf("sip:") + 4, text.indexOf("@"))
    if (text.startsWith("INVITE ")) this.#line.say(respond(text, "180 Ringing", this.#place, user))
    this.#line.say(respond(text, "200 OK", this.#place, user))
  }

  #registering(slot: number, status: number, text: string): void {
    const pair = this.#pairs[slot]!
    const phone = pair.stage === "registering-caller" ? pair.caller : pair.callee
    if (status === 401) {
      phone.nonce = nonceOf(text)
      phone.count = 0
      return this.#register(slot)
    }
    if (status !== 200) return this.#line.complain(`REGISTER: ${firstLine(text)}`)
    if (pair.stage === "registering-caller") {
      pair.stage = "registering-callee"
      return this.#register(slot)
    }
    pair.stage = "idle"
    if (--this.#left === 0) this.#registered()
  }

  #register(slot: number): void {
    const pair = this.#pairs[slot]!
    const phone = pair.stage === "registering-caller" ? pair.caller : pair.callee
    const { domain } = this.#place
    const authorization =
      phone.nonce === undefined
        ? ""
        : credentials("Authorization", phone, "REGISTER", `sip:${domain}`, domain)
    const contact = plainContact(this.#place, phone)
    this.#line.ask(slot, register(this.#place, phone, this.#line.branch(slot), authorization, contact))
  }

  #invite(slot: number): void {
    const pair = this.#pairs[slot]!
    const { caller, dialog } = pair
    caller.nonce = pair.proxyNonce
    caller.count = pair.proxyCount
    const { domain } = this.#place
    const authorization =
      caller.nonce === undefined
        ? ""
        : credentials("Proxy-Authorization", caller, "INVITE", dialog.target, domain)
    pair.proxyCount = caller.count
    pair.branch = this.#line.branch(slot)
    this.#line.ask(slot, inDialog("INVITE", this.#place, caller, dialog, pair.branch, authorization))
  }

  #inviting(slot: number, status: number, text: string): void {
    const pair = this.#pairs[slot]!
    const { caller, dialog } = pair
    if (status < 200) return
    if (status === 407) {
      this.#line.challenges++
      this.#line.say(acknowledgeRefusal(this.#place, caller, dialog, pair.branch, field(text, "To")!))
      pair.proxyNonce = nonceOf(text)
      pair.proxyCount = 0
      return this.#invite(slot)
    }
    if (status !== 200 || field(text, "Call-ID") !== dialog.callId) return this.#fail(slot, text)
    if (this.#line.order.digest && pair.proxyNonce === undefined)
      this.#line.complain("an INVITE passed without credentials")
    this.#line.measure(slot)
    dialog.to = field(text, "To")!
    const route = (line: string) => `Route: ${line.slice("Record-Route: ".length)}\r\n`
    dialog.routes = [...lines(text, "Record-Route")].reverse().map(route).join("")
    dialog.target = /<(.*?)>/.exec(field(text, "Contact") ?? "")?.[1] ?? ""
    this.#line.say(inDialog("ACK", this.#place, caller, dialog, this.#line.branch(slot), ""))
    pair.stage = "ending"
    this.#line.ask(slot, inDialog("BYE", this.#place, caller, dialog, this.#line.branch(slot), ""))
  }

  #fail(slot: number, text: string): void {
    this.#line.complain(`call of ${this.#pairs[slot]!.caller.user}: ${firstLine(text)}`)
    this.#line.finished(slot)
  }

  #dialogOf(callee: string, callId: string): Dialog {
    const target = `sip:${callee}@${this.#place.domain}`
    return { callId, callee, to: `<${target}>`, routes: "", target }
  }
}
