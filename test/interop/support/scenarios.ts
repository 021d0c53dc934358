// SIPp scenarios. Injection fields: 0 the user, 1 SIPp's [authentication …], 2 the one who is called.

export const authentication = (user: string, password: string) =>
  `[authentication username=${user} password=${password}]`

const scenario = (name: string, body: string) =>
  `<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="${name}">\n${body}\n</scenario>\n`

const SDP = `v=0
o=sipp 53655765 2353687637 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000`

/** `branch`: SIPp gives every message one of its own, so that an ACK for a refusal goes back to the INVITE's. */
const head = (
  method: string,
  requestUri: string,
  cseq: string,
  domain: string,
  extra = "",
  { branch = "[branch]", toTag = "" } = {},
) => `${method} ${requestUri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${branch}
Max-Forwards: 70
From: <sip:[field0]@${domain}>;tag=[pid]t[call_number]
To: <sip:${method === "REGISTER" ? "[field0]" : "[field2]"}@${domain}>${toTag}
Call-ID: [call_id]
CSeq: ${cseq} ${method}
Contact: <sip:[field0]@[local_ip]:[local_port]>
${extra}`

const send = (text: string, attributes = 'retrans="500"') =>
  `  <send ${attributes}><![CDATA[\n\n${text}\n\n  ]]></send>`

/** Registers, challenge and all; `expires` 0 removes. */
export const register = (domain: string, expires = 3600) =>
  scenario(
    "register",
    [
      send(`${head("REGISTER", `sip:${domain}`, "1", domain, `Expires: ${expires}\n`)}Content-Length: 0`),
      '  <recv response="100" optional="true"/>',
      '  <recv response="401" auth="true"/>',
      send(
        `${head("REGISTER", `sip:${domain}`, "2", domain, `Expires: ${expires}\n[field1]\n`)}Content-Length: 0`,
      ),
      '  <recv response="100" optional="true"/>',
      '  <recv response="200"/>',
    ].join("\n"),
  )

/** A REGISTER that must be refused with `status` although it answers the challenge. */
export const registerRefused = (domain: string, status: number) =>
  scenario(
    "register-refused",
    [
      send(`${head("REGISTER", `sip:${domain}`, "1", domain)}Content-Length: 0`),
      '  <recv response="100" optional="true"/>',
      '  <recv response="401" auth="true"/>',
      send(`${head("REGISTER", `sip:${domain}`, "2", domain, "[field1]\n")}Content-Length: 0`),
      '  <recv response="100" optional="true"/>',
      `  <recv response="${status}"/>`,
    ].join("\n"),
  )

const invite = (domain: string, cseq: string, extra = "") =>
  send(
    `${head("INVITE", `sip:[field2]@${domain}`, cseq, domain, extra)}Content-Type: application/sdp\nContent-Length: [len]\n\n${SDP}`,
  )

/** For a refusal: three messages after its INVITE, behind an optional 100 and the refusal. RFC 3261 §17.1.1.3. */
const ack = (domain: string, cseq: string) => {
  const inDialog = { branch: "[branch-3]", toTag: "[peer_tag_param]" }
  return send(`${head("ACK", `sip:[field2]@${domain}`, cseq, domain, "", inDialog)}Content-Length: 0`, "")
}

/** Calls, answers the challenge, talks for `milliseconds`, hangs up. */
export const call = (domain: string, milliseconds: number) =>
  scenario(
    "call",
    [
      invite(domain, "1"),
      '  <recv response="100" optional="true"/>',
      '  <recv response="407" auth="true"/>',
      ack(domain, "1"),
      invite(domain, "2", "[field1]\n"),
      '  <recv response="100" optional="true"/>',
      '  <recv response="180" optional="true"/>',
      '  <recv response="183" optional="true"/>',
      '  <recv response="200" rrs="true"/>',
      send(`${dialogRequest("ACK", "2", domain)}Content-Length: 0`, ""),
      `  <pause milliseconds="${milliseconds}"/>`,
      send(`${dialogRequest("BYE", "3", domain)}Content-Length: 0`),
      // Who is waited for longer than 3.5 s says so. RFC 4320 §4.1.
      '  <recv response="100" optional="true"/>',
      '  <recv response="200"/>',
    ].join("\n"),
  )

/** A call whose authenticated INVITE must end with `status`. */
export const callRefused = (domain: string, status: number) =>
  scenario(
    "call-refused",
    [
      invite(domain, "1"),
      '  <recv response="100" optional="true"/>',
      '  <recv response="407" auth="true"/>',
      ack(domain, "1"),
      invite(domain, "2", "[field1]\n"),
      '  <recv response="100" optional="true"/>',
      `  <recv response="${status}"/>`,
      ack(domain, "2"),
    ].join("\n"),
  )

/** A call that shows no credentials at all must be challenged, and nothing rings. */
export const callUnauthenticated = (domain: string) =>
  scenario(
    "call-unauthenticated",
    [
      invite(domain, "1"),
      '  <recv response="100" optional="true"/>',
      '  <recv response="407"/>',
      ack(domain, "1"),
    ].join("\n"),
  )

function dialogRequest(method: string, cseq: string, domain: string): string {
  return `${method} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
Max-Forwards: 70
From: <sip:[field0]@${domain}>;tag=[pid]t[call_number]
To: <sip:[field2]@${domain}>[peer_tag_param]
Call-ID: [call_id]
CSeq: ${cseq} ${method}
Contact: <sip:[field0]@[local_ip]:[local_port]>
`
}

const reply = (status: string, extra = "Content-Length: 0") => `SIP/2.0 ${status}
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
${extra}`

const replyInDialog = `SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0`

/** Rings for `milliseconds`, answers, waits for the BYE. */
export const answer = (milliseconds: number) =>
  scenario(
    "answer",
    [
      '  <recv request="INVITE"/>',
      send(reply("180 Ringing"), ""),
      `  <pause milliseconds="${milliseconds}"/>`,
      '  <label id="1"/>',
      send(reply("200 OK", `Content-Type: application/sdp\nContent-Length: [len]\n\n${SDP}`)),
      // Sent again by a node that has not yet come to read what was answered; then each 200 has its ACK.
      '  <recv request="INVITE" optional="true" next="1"/>',
      '  <recv request="ACK"/>',
      '  <label id="2"/>',
      '  <recv request="ACK" optional="true" next="2"/>',
      '  <recv request="BYE"/>',
      send(replyInDialog, ""),
    ].join("\n"),
  )

/** Rings until it is cancelled: the loser of a fork. */
export const ringUntilCancelled = () =>
  scenario(
    "ring-until-cancelled",
    [
      '  <recv request="INVITE"/>',
      `  <send><![CDATA[\n\n${reply("180 Ringing")}\n\n  ]]></send>`,
      '  <recv request="CANCEL"/>',
      send(replyInDialog, ""),
      send(
        `SIP/2.0 487 Request Terminated
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
CSeq: [cseq] INVITE
Content-Length: 0`,
      ),
      '  <recv request="ACK"/>',
    ].join("\n"),
  )
