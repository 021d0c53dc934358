import { hash } from "node:crypto"

// What phones of the bench say, about as long as real ones do: 500 bytes. Texts are latin1.

export interface Phone {
  readonly user: string
  readonly password: string
  readonly ha1: string
  cseq: number
  /** Of the last challenge, and how often it has been used. */
  nonce: string | undefined
  count: number
}

export const phoneOf = (number: number, domain: string): Phone => {
  const user = `u${number}`
  const password = `secret-${number}`
  const ha1 = hash("md5", `${user}:${domain}:${password}`)
  return { user, password, ha1, cseq: 0, nonce: undefined, count: 0 }
}

export interface Place {
  readonly domain: string
  /** Of the phones' own socket. */
  readonly port: number
  readonly host: string
}

const ABOUT =
  "Max-Forwards: 70\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, INFO\r\nUser-Agent: Bench Phone 1.0\r\n"

/** RFC 2617 with qop, as phones answer a challenge. `wrong` answers with another password. */
export function credentials(
  header: string,
  phone: Phone,
  method: string,
  uri: string,
  domain: string,
  wrong = false,
): string {
  const nc = (++phone.count).toString(16).padStart(8, "0")
  const ha1 = wrong ? hash("md5", `${phone.user}:${domain}:wrong`) : phone.ha1
  const ha2 = hash("md5", `${method}:${uri}`)
  const response = hash("md5", `${ha1}:${phone.nonce}:${nc}:0a4f113b:auth:${ha2}`)
  return (
    `${header}: Digest username="${phone.user}", realm="${domain}", nonce="${phone.nonce}", uri="${uri}", ` +
    `response="${response}", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=${nc}\r\n`
  )
}

export function register(
  place: Place,
  phone: Phone,
  branch: string,
  authorization: string,
  contact: string,
  expires = 3600,
): string {
  const { domain, host, port } = place
  return (
    `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP ${host}:${port};branch=${branch};rport\r\n` +
    `From: <sip:${phone.user}@${domain}>;tag=f${phone.user}\r\nTo: <sip:${phone.user}@${domain}>\r\n` +
    `Call-ID: ${phone.user}-${port}@bench\r\nCSeq: ${++phone.cseq} REGISTER\r\n${contact}\r\n` +
    `Expires: ${expires}\r\n${ABOUT}${authorization}Content-Length: 0\r\n\r\n`
  )
}

export const plainContact = ({ host, port }: Place, { user }: Phone): string =>
  `Contact: <sip:${user}@${host}:${port}>`

export function options(place: Place, phone: Phone, branch: string): string {
  const { domain, host, port } = place
  return (
    `OPTIONS sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP ${host}:${port};branch=${branch};rport\r\n` +
    `From: <sip:${phone.user}@${domain}>;tag=f${phone.user}\r\nTo: <sip:${domain}>\r\n` +
    `Call-ID: o${++phone.cseq}-${phone.user}-${port}@bench\r\nCSeq: ${phone.cseq} OPTIONS\r\n` +
    `Contact: <sip:${phone.user}@${host}:${port}>\r\nAccept: application/sdp\r\n${ABOUT}Content-Length: 0\r\n\r\n`
  )
}

const SDP =
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8\r\n"

export interface Dialog {
  readonly callId: string
  readonly callee: string
  /** To, with its tag once there is one. */
  to: string
  /** Route header fields of requests inside the dialog, and where they go. */
  routes: string
  target: string
}

/** INVITE, and ACK and BYE inside its dialog. */
export function inDialog(
  method: "INVITE" | "ACK" | "BYE",
  place: Place,
  caller: Phone,
  dialog: Dialog,
  branch: string,
  authorization: string,
): string {
  const { domain, host, port } = place
  const body = method === "INVITE" ? SDP : ""
  const type = method === "INVITE" ? "Content-Type: application/sdp\r\n" : ""
  const cseq = method === "ACK" ? caller.cseq : ++caller.cseq
  return (
    `${method} ${dialog.target} SIP/2.0\r\nVia: SIP/2.0/UDP ${host}:${port};branch=${branch};rport\r\n${dialog.routes}` +
    `From: <sip:${caller.user}@${domain}>;tag=f${caller.user}\r\nTo: ${dialog.to}\r\n` +
    `Call-ID: ${dialog.callId}\r\nCSeq: ${cseq} ${method}\r\nContact: <sip:${caller.user}@${host}:${port}>\r\n` +
    `${ABOUT}${authorization}${type}Content-Length: ${body.length}\r\n\r\n${body}`
  )
}

/** The ACK of a refusal goes hop by hop, with the INVITE's branch. RFC 3261 §17.1.1.3. */
export const acknowledgeRefusal = (place: Place, caller: Phone, dialog: Dialog, branch: string, to: string) =>
  inDialog("ACK", place, caller, { ...dialog, to, routes: "" }, branch, "")

/** The value of the first field of that name, spelled as Kamailio, Carillon and `sip` spell it. */
export function field(text: string, name: string): string | undefined {
  const start = text.indexOf(`\r\n${name}: `)
  if (start < 0) return undefined
  const from = start + name.length + 4
  return text.slice(from, text.indexOf("\r\n", from))
}

/** All fields of that name, whole lines. */
export function lines(text: string, name: string): readonly string[] {
  const found: string[] = []
  const mark = `\r\n${name}: `
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 2))
    found.push(text.slice(at + 2, text.indexOf("\r\n", at + 2)))
  return found
}

/** Answers a request as a phone does: all that RFC 3261 §8.2.6 says is copied. */
export function respond(request: string, status: string, place: Place, user: string): string {
  const copied = [...lines(request, "Via"), ...lines(request, "Record-Route")]
  const to = field(request, "To") ?? ""
  const tagged = to.includes("tag=") ? to : `${to};tag=t${user}`
  const isInvite = status === "200 OK" && field(request, "CSeq")?.endsWith("INVITE") === true
  const body = isInvite ? SDP : ""
  const type = isInvite ? "Content-Type: application/sdp\r\n" : ""
  return (
    `SIP/2.0 ${status}\r\n${copied.join("\r\n")}\r\nFrom: ${field(request, "From")}\r\nTo: ${tagged}\r\n` +
    `Call-ID: ${field(request, "Call-ID")}\r\nCSeq: ${field(request, "CSeq")}\r\n` +
    `Contact: <sip:${user}@${place.host}:${place.port}>\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`
  )
}
