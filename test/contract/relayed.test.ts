import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { Names } from "../../src/core/service/names.ts"
import { DialogRequests } from "../../src/core/service/routing/dialog-requests.ts"
import { Flows } from "../../src/core/service/routing/flows.ts"
import { Tokens } from "../../src/core/service/routing/tokens.ts"
import { OnwardReader } from "../../src/core/transaction/onward.ts"
import { openSslHashes } from "../support/hashes.ts"
import { ALIASES, DOMAIN, Farm, type FarmNode, type Phone, statusOf, valuesIn } from "../support/sip-farm.ts"

// Responses that are recognized, and go on as they came, beside the same ones that have to be read: whatever phones answer,
// the same bytes go on, and the same is counted and logged. The second farm hears each response with one name of a field
// in its compact form, which is read, and written out again as long as ever.

interface Side {
  readonly farm: Farm
  readonly node: FarmNode
  readonly alice: Phone
  readonly bob: Phone
  readonly isRead: boolean
}

function side(isRead: boolean): Side {
  const farm = new Farm(1)
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  const node = farm.nodes[0]!
  const alice = farm.phone("alice", "UDP", "192.0.2.1")
  const bob = farm.phone("bob", "UDP", "192.0.2.2")
  assert.equal(statusOf(bob.register(node)), 200)
  return { farm, node, alice, bob, isRead }
}

interface Answer {
  readonly status: string
  /** What becomes of the text of a proper answer. */
  readonly change: (text: string) => string
  readonly body: string
  readonly times: number
}

const PROPER = (text: string) => text

/** Of a response as a phone would send it; what some of them do, what none should, and what is the same in other words. */
const CHANGES: readonly (readonly [name: string, change: (text: string) => string])[] = [
  ["as it has to be", PROPER],
  ["rport and received in our Via", (text) => text.replace(";rport;", ";rport=5060;received=10.0.0.1;")],
  [
    "rport and received behind",
    (text) => text.replace(/;rport;(branch=[^\r]*)/, ";$1;rport=5060;received=10.0.0.1"),
  ],
  ["received without a value", (text) => text.replace(/;rport;/, ";rport;received=;")],
  ["an unknown parameter of our Via", (text) => text.replace(/;rport;/, ";rport;x=1;")],
  ["another port in our Via", (text) => text.replace("10.0.0.1;rport", "10.0.0.1:5062;rport")],
  ["our branch twice", (text) => text.replace(/;(branch=[^\r]*)/, ";$1;$1")],
  ["a branch of nobody's", (text) => text.replace(/branch=z9hG4bK\w+/, "branch=z9hG4bKother")],
  ["the branch in capitals", (text) => text.replace(";branch=", ";BRANCH=")],
  ["both Vias in one field", (text) => text.replace(/\r\nVia: (SIP[^\r]*192)/, ", $1")],
  ["our Via alone", (text) => text.replace(/\r\nVia: SIP[^\r]*192[^\r]*/, "")],
  ["another second Via", (text) => text.replace(/192\.0\.2\.1:5060/, "192.0.2.77:5060")],
  [
    "a third Via",
    (text) => text.replace("\r\nFrom", "\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKthird\r\nFrom"),
  ],
  ["a field before the Vias", (text) => text.replace("\r\nVia", "\r\nServer: phone\r\nVia")],
  ["a field between the Vias", (text) => text.replace(/\r\n(Via: SIP[^\r]*192)/, "\r\nServer: phone\r\n$1")],
  ["another tag in From", (text) => text.replace(/(From: [^\r]*tag=)\w+/, "$1other")],
  ["nonsense in From", (text) => text.replace(/From: [^\r]*/, "From: <nonsense")],
  ["no From", (text) => text.replace(/From: [^\r]*\r\n/, "")],
  ["another From besides", (text) => text.replace(/(From: [^\r]*\r\n)/, "$1$1")],
  ["no tag in To", (text) => text.replace(/(To: [^\r;]*)[^\r]*/, "$1")],
  ["a parameter before the tag", (text) => text.replace(/(To: [^\r;]*)/, "$1;x=y")],
  ["a parameter behind the tag", (text) => text.replace(/(To: [^\r]*)/, "$1;x=y")],
  ["a quoted tag", (text) => text.replace(/(To: [^\r]*tag=)(\w+)/, '$1"$2"')],
  ["another name in To", (text) => text.replace("To: <", 'To: "Bob" <')],
  ["another Call-ID", (text) => text.replace(/Call-ID: [^\r]*/, "Call-ID: other")],
  ["another CSeq", (text) => text.replace(/CSeq: (\d+)/, "CSeq: 9$1")],
  ["another method in CSeq", (text) => text.replace(/CSeq: (\d+) \w+/, "CSeq: $1 CANCEL")],
  ["two spaces in CSeq", (text) => text.replace(/CSeq: (\d+) /, "CSeq: $1  ")],
  ["Content-Length with a zero before it", (text) => text.replace("Content-Length: ", "Content-Length: 0")],
  ["Content-Length too large", (text) => text.replace("Content-Length: ", "Content-Length: 9")],
  ["no Content-Length", (text) => text.replace(/Content-Length: \d+\r\n/, "")],
  ["Content-Length first", (text) => text.replace(/(Via:[\s\S]*)(Content-Length: \d+\r\n)/, "$2$1")],
  ["bytes behind the body", (text) => `${text}more`],
  ["a name in lower case", (text) => text.replace("Contact:", "contact:")],
  ["a name without a space behind it", (text) => text.replace("Contact: ", "Contact:")],
  ["spaces at the end of a line", (text) => text.replace("\r\nContact", "  \r\nContact")],
  ["an empty field", (text) => text.replace("\r\nContact", "\r\nSubject: \r\nContact")],
  ["an empty field without a space", (text) => text.replace("\r\nContact", "\r\nSubject:\r\nContact")],
  ["a fold", (text) => text.replace("\r\nContact: ", "\r\nContact:\r\n ")],
  [
    "a field that nobody knows",
    (text) => text.replace("\r\nContact", "\r\nX-Phone: \xe4 \xff;=,\r\nContact"),
  ],
  ["a tab in a value", (text) => text.replace("\r\nContact", "\r\nSubject: a\tb\r\nContact")],
  ["a bell in a value", (text) => text.replace("\r\nContact", "\r\nSubject: a\x07b\r\nContact")],
  ["a line feed in a value", (text) => text.replace("\r\nContact", "\r\nSubject: a\nb\r\nContact")],
  ["nonsense in Contact", (text) => text.replace(/Contact: [^\r]*/, "Contact: <<<")],
  ["nonsense in Record-Route", (text) => text.replace(/Record-Route: [^\r]*/, "Record-Route: <<<")],
  ["no Record-Route", (text) => text.replace(/Record-Route: [^\r]*\r\n/, "")],
  ["a reason of other letters", (text) => text.replace(/^(SIP\/2.0 \d+) [^\r]*/, "$1 J\xe4 \x7f")],
  ["no reason", (text) => text.replace(/^(SIP\/2.0 \d+) [^\r]*/, "$1 ")],
  ["no space behind the status", (text) => text.replace(/^(SIP\/2.0 \d+) [^\r]*/, "$1")],
  ["the version in lower case", (text) => text.replace(/^SIP/, "sip")],
  ["an empty line before it", (text) => `\r\n${text}`],
  ["many fields", (text) => text.replace("\r\nContact", `${"\r\nX-Many: 1".repeat(300)}\r\nContact`)],
  [
    "five thousand bytes",
    (text) => text.replace("\r\nContact", `\r\nSubject: ${"x".repeat(5_000)}\r\nContact`),
  ],
]

const answers = fc.record({
  status: fc.constantFrom(
    ...["100 Trying", "180 Ringing", "180 Ringing", "183 Session Progress", "200 OK", "200 OK", "200 OK"],
    ...[
      "202 Accepted",
      "299 Other",
      "302 Moved",
      "404 Not Found",
      "486 Busy Here",
      "503 Down",
      "603 Decline",
    ],
  ),
  change: fc.oneof(
    { weight: 1, arbitrary: fc.constant(PROPER) },
    { weight: 1, arbitrary: fc.constantFrom(...CHANGES.map(([, change]) => change)) },
  ),
  body: fc.constantFrom("", "", "v=0\r\n", "\x00\xff\r\n\r\n"),
  times: fc.constantFrom(1, 1, 1, 2),
})

interface Story {
  readonly method: string
  readonly toTag: string
  readonly answers: readonly Answer[]
  readonly pause: number
}

const story: fc.Arbitrary<Story> = fc.record({
  method: fc.constantFrom("INVITE", "INVITE", "INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE"),
  toTag: fc.constantFrom("", "", ";tag=inside"),
  answers: fc.array(answers, { minLength: 1, maxLength: 5 }),
  pause: fc.constantFrom(0, 0, 100, 40_000, 250_000),
})

/** As a phone answers: `Phone.answer` without sending it. */
function responseTo(request: string, { status, body }: Answer, bob: Phone): string {
  const repeated = request
    .split("\r\n\r\n")[0]!
    .split("\r\n")
    .filter((line) => /^(Via|From|To|Call-ID|CSeq|Record-Route):/.test(line))
    .map((line) => (line.startsWith("To:") && !line.includes(";tag=") ? `${line};tag=bob` : line))
  const fields = [...repeated, `Contact: ${bob.contact}`, `Content-Length: ${body.length}`]
  return [`SIP/2.0 ${status}`, ...fields, "", body].join("\r\n")
}

/** What both sides said, and what is left of it in the node. */
function told({ farm, node, alice, bob }: Side) {
  const logs = node.effects.filter(({ kind }) => kind === "log" || kind === "count")
  const sent = node.effects.flatMap((effect) => (effect.kind === "send" ? [[effect.id, effect.hop]] : []))
  const { deadline, statistics } = node.server
  return {
    alice: [...alice.inbox],
    bob: [...bob.inbox],
    logs,
    sent,
    deadline,
    statistics,
    lost: [...node.lost],
    now: farm.now,
  }
}

function play(sides: readonly Side[], { method, toTag, answers, pause }: Story, number: number): void {
  const heard = sides.map((each) => {
    const { node, alice, bob, farm, isRead } = each
    for (const list of [alice.inbox, bob.inbox, node.effects, node.lost]) list.length = 0
    const to = `<sip:bob@${DOMAIN}>${toTag}`
    alice.ask(node, method, { uri: `sip:bob@${DOMAIN}`, to, callId: `call-${number}` })
    const request = bob.inbox.findLast((text) => text.startsWith(`${method} `))
    if (request === undefined) return told(each)
    for (const answer of answers) {
      const text = answer.change(responseTo(request, answer, bob))
      const compact = text.replace(/\r\nCall-ID: /, "\r\ni: ")
      for (let time = 0; time < answer.times; time++) bob.send(node, isRead ? compact : text)
    }
    farm.advance(pause)
    return told(each)
  })
  assert.deepEqual(heard[0], heard[1])
}

const sides = () => [side(false), side(true)]

test("each way in which a response may be written goes on the same, whether it is recognized or read", () => {
  const both = sides()
  let number = 0
  for (const [name, change] of CHANGES)
    for (const method of ["INVITE", "MESSAGE"])
      for (const toTag of ["", ";tag=inside"]) {
        const ringing = { status: "180 Ringing", change, body: "", times: 1 }
        const ok = { status: "200 OK", change, body: "v=0\r\n", times: 2 }
        try {
          play(both, { method, toTag, answers: [ringing, ok], pause: 100 }, ++number)
        } catch (error) {
          throw new Error(`${method} ${toTag}, ${name}`, { cause: error })
        }
      }
})

test("whatever phones answer, and in whatever order, what is recognized goes on as what is read", () => {
  fc.assert(
    fc.property(fc.array(story, { minLength: 1, maxLength: 4 }), (stories) => {
      const both = sides()
      for (const [number, each] of stories.entries()) play(both, each, number)
    }),
    { seed: 3261, numRuns: 300 },
  )
})

test("what phones answer is recognized where it is plain, and the compact form is not", () => {
  const { node, alice, bob } = side(false)
  alice.ask(node, "INVITE", { uri: `sip:bob@${DOMAIN}` })
  const request = bob.got("INVITE")
  const reader = new OnwardReader()
  const bytes = new Uint8Array(Buffer.from(request, "latin1"))
  const awaiting = { method: "INVITE", bytes, repeated: undefined }
  const isRecognized = (text: string) =>
    reader.read(new Uint8Array(Buffer.from(text, "latin1")), () => awaiting) !== undefined
  const of = (status: string) => responseTo(request, { status, change: PROPER, body: "", times: 1 }, bob)
  for (const status of ["180 Ringing", "183 Session Progress", "200 OK"])
    assert.ok(isRecognized(of(status)), status)
  for (const status of ["100 Trying", "302 Moved", "486 Busy Here", "603 Decline"])
    assert.ok(!isRecognized(of(status)), status)
  const plain = ["as it has to be", "rport and received in our Via", "rport and received behind"]
  const others = [
    "a field before the Vias",
    "a field between the Vias",
    "a field that nobody knows",
    "no Record-Route",
  ]
  for (const name of [...plain, ...others])
    assert.ok(isRecognized(CHANGES.find(([title]) => title === name)![1](of("200 OK"))), name)
  assert.ok(!isRecognized(of("200 OK").replace("Call-ID: ", "i: ")))
})

// The same of the requests inside a dialog.

/** Of a BYE or ACK as a phone would send it: see `CHANGES`. */
const REQUEST_CHANGES: readonly (readonly [name: string, change: (text: string) => string])[] = [
  ["as it has to be", PROPER],
  ["no rport", (text) => text.replace(";rport", "")],
  ["no rport, from another port than the Via says", (text) => text.replace(/:5060;rport/, ":5070")],
  ["rport behind the branch", (text) => text.replace(/;rport;(branch=[^\r]*)/, ";$1;rport")],
  ["rport with a value", (text) => text.replace(";rport", ";rport=1")],
  ["rport twice", (text) => text.replace(";rport", ";rport;rport")],
  ["maddr", (text) => text.replace(";rport", ";maddr=192.0.2.9")],
  ["another address in the Via", (text) => text.replace(/UDP 192\.0\.2\.\d/, "UDP 10.1.2.3")],
  ["a name in the Via", (text) => text.replace(/UDP 192\.0\.2\.\d:5060/, "UDP Phone.Example")],
  ["our own address in the Via", (text) => text.replace(/UDP 192\.0\.2\.\d:5060/, "UDP 10.0.0.1:5060")],
  ["port 0 in the Via", (text) => text.replace(":5060;rport", ":0;rport")],
  ["port 99999 in the Via", (text) => text.replace(":5060;rport", ":99999;rport")],
  ["no port in the Via", (text) => text.replace(":5060;rport", ";rport")],
  ["an empty branch", (text) => text.replace(/branch=z9hG4bK\w+/, "branch=z9hG4bK")],
  ["a branch of old", (text) => text.replace(/branch=z9hG4bK\w+/, "branch=1")],
  ["a branch with quotes", (text) => text.replace(/branch=(z9hG4bK\w+)/, 'branch="$1"')],
  [
    "a second Via",
    (text) => text.replace("\r\nFrom", "\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKthird\r\nFrom"),
  ],
  ["a Via by TCP", (text) => text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")],
  ["no Route", (text) => text.replace(/Route: [^\r]*\r\n/g, "")],
  ["the Route twice", (text) => text.replace(/(Route: [^\r]*\r\n)/, "$1$1")],
  ["a Route behind", (text) => text.replace(/(Route: [^\r]*\r\n)/, "$1Route: <sip:192.0.2.9;lr>\r\n")],
  ["a Route before", (text) => text.replace(/(Route: [^\r]*\r\n)/, "Route: <sip:192.0.2.9;lr>\r\n$1")],
  [
    "our address as Route before",
    (text) => text.replace(/(Route: [^\r]*\r\n)/, "Route: <sip:10.0.0.1;lr>\r\n$1"),
  ],
  ["two Routes in one field", (text) => text.replace(/Route: ([^\r]*)\r\n/, "Route: $1, $1\r\n")],
  ["a forged token", (text) => text.replace(/Route: <sip:(.)/, "Route: <sip:Z$1")],
  ["a token with a last digit changed", (text) => text.replace(/(Route: <sip:\w*)\w@/, "$1_@")],
  ["a Route with transport", (text) => text.replace(/(Route: <sip:[^\r;]*)/, "$1;transport=udp")],
  ["a Route with a parameter behind", (text) => text.replace(/(Route: [^\r]*)/, "$1;x=1")],
  ["a Route with a name", (text) => text.replace("Route: <", "Route: proxy <")],
  ["a Route without lr", (text) => text.replace(";lr>", ">")],
  ["a Route with nonsense for a host", (text) => text.replace(/(Route: <sip:[^@]*@)[^;]*/, "$1a b")],
  ["a Route to a host with two dots", (text) => text.replace(/(Route: <sip:[^@]*@)[^;]*/, "$1a..b")],
  ["a Route with port 0", (text) => text.replace(/(Route: <sip:[^;]*)/, "$1:0")],
  ["a Request-URI with headers", (text) => text.replace(/^(\w+ [^ ]*)/, "$1?a=b")],
  ["a Request-URI with a method", (text) => text.replace(/^(\w+ [^ ]*)/, "$1;method=BYE")],
  ["a Request-URI by TCP", (text) => text.replace(/^(\w+ [^ ]*)/, "$1;transport=tcp")],
  ["a Request-URI that is secure", (text) => text.replace(" sip:", " sips:")],
  ["a Request-URI with a name", (text) => text.replace(/^(\w+) sip:[^ ]*/, "$1 sip:bob@phone.example.net")],
  ["a Request-URI with the domain", (text) => text.replace(/^(\w+) sip:[^ ]*/, `$1 sip:bob@${DOMAIN}`)],
  ["a Request-URI with our address", (text) => text.replace(/^(\w+) sip:[^ ]*/, "$1 sip:bob@10.0.0.1")],
  ["a Request-URI for a telephone", (text) => text.replace(/^(\w+) sip:[^ ]*/, "$1 tel:+1234")],
  [
    "a token of ours in the Request-URI",
    (text) => text.replace(/^(\w+) sip:[^@]*([\s\S]*?Route: <sip:)(\w+)/, "$1 sip:$3$2$3"),
  ],
  ["nonsense in the Request-URI", (text) => text.replace(/^(\w+) sip:[^ ]*/, "$1 sip:bob@a:b:c")],
  ["no tag in To", (text) => text.replace(/(To: [^\r;]*)[^\r]*/, "$1")],
  ["nonsense in To", (text) => text.replace(/To: [^\r]*/, "To: <nonsense")],
  ["a nonsensical URI in From", (text) => text.replace(/From: [^\r]*/, "From: <sip:>;tag=a")],
  ["no From", (text) => text.replace(/From: [^\r]*\r\n/, "")],
  ["another Call-ID", (text) => text.replace(/Call-ID: [^\r]*/, "Call-ID: other")],
  ["a Call-ID with a space", (text) => text.replace(/Call-ID: ([^\r]*)/, "Call-ID: $1 x")],
  ["another method in CSeq", (text) => text.replace(/CSeq: (\d+) \w+/, "CSeq: $1 INFO")],
  ["two spaces in CSeq", (text) => text.replace(/CSeq: (\d+) /, "CSeq: $1  ")],
  ["zeros in CSeq", (text) => text.replace("CSeq: ", "CSeq: 00")],
  ["a CSeq too large", (text) => text.replace("CSeq: ", "CSeq: 99999999999")],
  ["no Max-Forwards", (text) => text.replace(/Max-Forwards: \d+\r\n/, "")],
  ["Max-Forwards 0", (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 0")],
  ["Max-Forwards 1", (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 1")],
  ["Max-Forwards 255", (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 255")],
  ["Max-Forwards 256", (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 256")],
  ["Max-Forwards 070", (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 070")],
  ["Max-Forwards first", (text) => text.replace(/(Via:[\s\S]*)(Max-Forwards: \d+\r\n)/, "$2$1")],
  ["Max-Breadth", (text) => text.replace("\r\nMax-Forwards", "\r\nMax-Breadth: 3\r\nMax-Forwards")],
  ["Proxy-Require", (text) => text.replace("\r\nMax-Forwards", "\r\nProxy-Require: x\r\nMax-Forwards")],
  [
    "an identity",
    (text) => text.replace("\r\nMax-Forwards", "\r\nP-Asserted-Identity: <sip:boss@a>\r\nMax-Forwards"),
  ],
  [
    "a Record-Route",
    (text) => text.replace("\r\nMax-Forwards", "\r\nRecord-Route: <sip:a;lr>\r\nMax-Forwards"),
  ],
  [
    "credentials",
    (text) => text.replace("\r\nMax-Forwards", "\r\nProxy-Authorization: Digest x\r\nMax-Forwards"),
  ],
  ["no Contact", (text) => text.replace(/Contact: [^\r]*\r\n/, "")],
  ["two Contacts", (text) => text.replace(/(Contact: [^\r]*)/, "$1, <sip:x@y>")],
  ["a star for a Contact", (text) => text.replace(/Contact: [^\r]*/, "Contact: *")],
  ["nonsense in Contact", (text) => text.replace(/Contact: [^\r]*/, "Contact: <<<")],
  [
    "a field that nobody knows",
    (text) => text.replace("\r\nMax-Forwards", "\r\nX-Phone: \xe4 \xff;=,\r\nMax-Forwards"),
  ],
  ["a body", (text) => text.replace(/Content-Length: 0\r\n\r\n$/, "Content-Length: 5\r\n\r\n\xff\r\n\x00.")],
  ["bytes behind", (text) => `${text}more`],
  ["Content-Length with a zero before it", (text) => text.replace("Content-Length: ", "Content-Length: 0")],
  ["no Content-Length", (text) => text.replace(/Content-Length: \d+\r\n/, "")],
  ["a name in lower case", (text) => text.replace("Route:", "route:")],
  ["a fold", (text) => text.replace("\r\nContact: ", "\r\nContact:\r\n ")],
  ["the method in lower case", (text) => text.toLowerCase()],
  ["a longer method", (text) => text.replaceAll(/\b(ACK|BYE)\b/g, "$1S")],
]

interface Inside {
  readonly method: "ACK" | "BYE"
  readonly from: "alice" | "bob"
  readonly change: (text: string) => string
  readonly times: number
  /** What the other one answers a BYE. */
  readonly status: string
}

/** A call from alice to bob that was answered, as both know it. */
function established(each: Side, callId: string) {
  const { node, alice, bob } = each
  const answer = alice.ask(node, "INVITE", { uri: `sip:bob@${DOMAIN}`, to: `<sip:bob@${DOMAIN}>`, callId })
  assert.equal(statusOf(answer), 100)
  const invite = bob.got("INVITE")
  bob.send(node, responseTo(invite, { status: "200 OK", change: PROPER, body: "", times: 1 }, bob))
  const ok = alice.lastAnswer()
  assert.equal(statusOf(ok), 200)
  const routes = valuesIn(ok, "Record-Route").map((value) => `Route: ${value}`)
  const [from, to] = [valuesIn(ok, "From")[0]!, valuesIn(ok, "To")[0]!]
  return {
    alice: { from, to, callId, uri: `sip:bob@${bob.own.host}:5060`, headers: routes.toReversed() },
    bob: { from: to, to: from, callId, uri: `sip:alice@${alice.own.host}:5060`, headers: routes },
  }
}

function talk(both: readonly Side[], insides: readonly Inside[], number: number, pause: number): void {
  const heard = both.map((each) => {
    const { node, alice, bob, farm, isRead } = each
    for (const list of [alice.inbox, bob.inbox, node.effects, node.lost]) list.length = 0
    const dialog = established(each, `call-${number}`)
    for (const [index, { method, from, change, times, status }] of insides.entries()) {
      const [phone, other] = from === "alice" ? [alice, bob] : [bob, alice]
      const text = change(phone.text(method, { ...dialog[from], cseq: 10 + index }))
      for (let time = 0; time < times; time++)
        phone.send(node, isRead ? text.replace(/\r\nCall-ID: /, "\r\ni: ") : text)
      const request = other.inbox.findLast((got) => got.startsWith("BYE "))
      if (method === "BYE" && request !== undefined && status !== "")
        other.send(node, responseTo(request, { status, change: PROPER, body: "", times: 1 }, other))
    }
    farm.advance(pause)
    return told(each)
  })
  assert.deepEqual(heard[0], heard[1])
}

test("each way in which an ACK or BYE may be written goes on the same, whether it is recognized or read", () => {
  const both = sides()
  let number = 1_000
  for (const [name, change] of REQUEST_CHANGES)
    for (const method of ["ACK", "BYE"] as const)
      for (const from of ["alice", "bob"] as const) {
        try {
          talk(both, [{ method, from, change, times: 2, status: "200 OK" }], ++number, 100)
        } catch (error) {
          throw new Error(`${method} of ${from}, ${name}`, { cause: error })
        }
      }
})

test("whatever phones say in a dialog, and in whatever order, what is recognized goes on as what is read", () => {
  const inside: fc.Arbitrary<Inside> = fc.record({
    method: fc.constantFrom("ACK" as const, "BYE" as const),
    from: fc.constantFrom("alice" as const, "bob" as const),
    change: fc.oneof(fc.constant(PROPER), fc.constantFrom(...REQUEST_CHANGES.map(([, change]) => change))),
    times: fc.constantFrom(1, 1, 2),
    status: fc.constantFrom("200 OK", "200 OK", "", "481 Gone", "503 Down", "100 Trying"),
  })
  fc.assert(
    fc.property(
      fc.array(fc.array(inside, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(0, 600, 4_000, 40_000),
      (calls, pause) => {
        const both = sides()
        for (const [number, each] of calls.entries()) talk(both, each, number, pause)
      },
    ),
    { seed: 3261, numRuns: 200 },
  )
})

test("an ACK and a BYE are recognized where they are plain", () => {
  const each = side(false)
  const dialog = established(each, "recognized")
  const settings = { hashes: openSslHashes, fabricKey: new Uint8Array(32).fill(7), node: each.node.id }
  const tokens = new Tokens(settings, new SeededRandom(1))
  const listeners = [{ transport: "UDP" as const, advertised: { host: each.node.host, port: 5060 } }]
  const names = new Names({ domain: DOMAIN, aliases: () => ALIASES, listeners })
  const reader = new DialogRequests({
    names,
    tokens,
    flows: new Flows(each.node.id, tokens, () => undefined),
  })
  const isRecognized = (text: string) =>
    reader.read(new Uint8Array(Buffer.from(text, "latin1")), each.alice.flowTo(each.node)) !== undefined
  const plain = [
    "as it has to be",
    "no rport",
    "rport behind the branch",
    "the Route twice",
    "a body",
    "no Contact",
  ]
  for (const method of ["ACK", "BYE"] as const) {
    const text = each.alice.text(method, dialog.alice)
    for (const name of plain) {
      const change = REQUEST_CHANGES.find(([title]) => title === name)![1]
      assert.ok(isRecognized(change(text)), `${method}, ${name}`)
    }
    assert.ok(!isRecognized(text.replace("Call-ID: ", "i: ")))
  }
})
