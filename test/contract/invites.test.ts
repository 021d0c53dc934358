import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { Invites } from "../../src/core/service/routing/invites.ts"
import { DOMAIN, Farm, type FarmNode, type Phone, statusOf } from "../support/sip-farm.ts"

// INVITEs that are recognized, and go on as they came, beside the same ones that have to be read: the same bytes go on, and the same is
// answered, counted, logged and timed. The second farm hears each with one name of a field in its compact form, which is read.

interface Side {
  readonly farm: Farm
  readonly node: FarmNode
  readonly alice: Phone
  readonly bob: Phone
  /** The challenge that alice answers. */
  readonly challenge: string
  readonly isRead: boolean
}

const URI = `sip:bob@${DOMAIN}`
const TO = `<${URI}>`

/** `recalls`: the node need not ask for bindings. */
function side(isRead: boolean, recalls = false): Side {
  const farm = new Farm(2)
  farm.recallsBindings = recalls
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  const node = farm.nodes[0]!
  const alice = farm.phone("alice", "UDP", "192.0.2.1")
  const bob = farm.phone("bob", "UDP", "192.0.2.2")
  assert.equal(statusOf(bob.register(node)), 200)
  alice.send(node, alice.text("INVITE", { uri: URI, to: TO, callId: "first" }))
  const challenge = alice.lastAnswer()
  assert.equal(statusOf(challenge), 407)
  farm.advance(40_000)
  return { farm, node, alice, bob, challenge, isRead }
}

const sides = (recalls: boolean) => [side(false, recalls), side(true, recalls)]

type Change = readonly [name: string, change: (text: string) => string]

const before = (line: string) => (text: string) =>
  text.replace("\r\nMax-Forwards", `\r\n${line}\r\nMax-Forwards`)

/** Of an INVITE as a phone would send it. */
const CHANGES: readonly Change[] = [
  ["as it has to be", (text) => text],
  ["rport behind the branch", (text) => text.replace(/;rport;(branch=[^\r]*)/, ";$1;rport")],
  ["no rport", (text) => text.replace(";rport", "")],
  ["no rport, from another port than the Via says", (text) => text.replace(":5060;rport", ":5070")],
  ["rport, from another port than the Via says", (text) => text.replace(":5060;rport", ":5070;rport")],
  ["rport with a value", (text) => text.replace(";rport", ";rport=1")],
  ["no port in the Via", (text) => text.replace(":5060;rport", ";rport")],
  ["maddr", (text) => text.replace(";rport", ";maddr=192.0.2.9")],
  ["another address in the Via", (text) => text.replace(/UDP 192\.0\.2\.\d/, "UDP 10.1.2.3")],
  ["a name in the Via", (text) => text.replace(/UDP 192\.0\.2\.\d:5060/, "UDP Phone.Example")],
  ["a branch of old", (text) => text.replace(/branch=z9hG4bK\w+/, "branch=1")],
  ["an empty branch", (text) => text.replace(/branch=z9hG4bK\w+/, "branch=z9hG4bK")],
  ["a second Via", before("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKthird")],
  ["a Via by TCP", (text) => text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")],
  ["another address in Contact", (text) => text.replace(/(Contact: <sip:alice@)[^:]*/, "$110.1.2.3")],
  ["a name in Contact", (text) => text.replace(/(Contact: <sip:alice@)[^:]*/, "$1phone.example")],
  ["another port in Contact", (text) => text.replace(/(Contact: [^\r]*):5060/, "$1:5070")],
  ["a Contact by TCP", (text) => text.replace(/(Contact: [^\r>]*)/, "$1;transport=tcp")],
  ["parameters behind Contact", (text) => text.replace(/(Contact: [^\r]*)/, '$1;+sip.instance="<urn:x>"')],
  ["a name before Contact", (text) => text.replace("Contact: ", 'Contact: "Alice, at home" ')],
  ["no Contact", (text) => text.replace(/Contact: [^\r]*\r\n/, "")],
  ["two Contacts", (text) => text.replace(/(Contact: [^\r]*)/, "$1, <sip:x@y>")],
  ["two Contact fields", (text) => text.replace(/(Contact: [^\r]*\r\n)/, "$1$1")],
  ["a star for a Contact", (text) => text.replace(/Contact: [^\r]*/, "Contact: *")],
  ["nonsense in Contact", (text) => text.replace(/Contact: [^\r]*/, "Contact: <<<")],
  ["a tag in To", (text) => text.replace(/(To: [^\r]*)/, "$1;tag=inside")],
  ["a name before To", (text) => text.replace("To: <", 'To: "Bob" <')],
  ["a name with a backslash before To", (text) => text.replace("To: <", 'To: "B\\"ob" <')],
  ["a bare name before To", (text) => text.replace("To: <", "To: Bob <")],
  ["a parameter behind To", (text) => text.replace(/(To: [^\r]*)/, "$1;x=y")],
  ["nonsense in To", (text) => text.replace(/To: [^\r]*/, "To: <nonsense")],
  ["no brackets in From", (text) => text.replace(/From: <([^>]*)>/, "From: $1")],
  ["no tag in From", (text) => text.replace(/(From: [^\r;]*)[^\r]*/, "$1")],
  ["a name before From", (text) => text.replace("From: <", 'From: "J\xe4s" <')],
  ["an escape in From", (text) => text.replace("From: <sip:alice", "From: <sip:%61lice")],
  ["a port in From", (text) => text.replace(`From: <sip:alice@${DOMAIN}`, `From: <sip:alice@${DOMAIN}:5060`)],
  ["our address in From", (text) => text.replace(`From: <sip:alice@${DOMAIN}`, "From: <sip:alice@10.0.0.1")],
  ["somebody else in From", (text) => text.replace("From: <sip:alice", "From: <sip:bob")],
  [
    "a stranger in From",
    (text) => text.replace(`From: <sip:alice@${DOMAIN}`, "From: <sip:alice@example.net"),
  ],
  ["nobody in From", (text) => text.replace("From: <sip:alice@", "From: <sip:")],
  ["sips in From", (text) => text.replace("From: <sip:", "From: <sips:")],
  ["no From", (text) => text.replace(/From: [^\r]*\r\n/, "")],
  ["a Request-URI with headers", (text) => text.replace(/^(\w+ [^ ]*)/, "$1?a=b")],
  ["nonsense in the Request-URI", (text) => text.replace(/^(\w+) sip:[^ ]*/, "$1 sip:bob@a:b:c")],
  ["a Request-URI with our address", (text) => text.replace(/^(\w+) sip:[^ ]*/, "$1 sip:bob@10.0.0.1")],
  ["a Request-URI for a telephone", (text) => text.replace(/^(\w+) sip:[^ ]*/, "$1 tel:+1234")],
  ["a Request-URI that names nobody", (text) => text.replace(/^(\w+) sip:[^ ]*/, `$1 sip:${DOMAIN}`)],
  ["a Request-URI elsewhere", (text) => text.replace(/^(\w+) sip:[^ ]*/, "$1 sip:bob@192.0.2.77")],
  ["a Call-ID with a space", (text) => text.replace(/Call-ID: ([^\r]*)/, "Call-ID: $1 x")],
  ["another method in CSeq", (text) => text.replace(/CSeq: (\d+) \w+/, "CSeq: $1 INFO")],
  ["zeros in CSeq", (text) => text.replace("CSeq: ", "CSeq: 00")],
  ["two spaces in CSeq", (text) => text.replace(/CSeq: (\d+) /, "CSeq: $1  ")],
  ["no Max-Forwards", (text) => text.replace(/Max-Forwards: \d+\r\n/, "")],
  ["Max-Forwards 0", (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 0")],
  ["Max-Forwards 1", (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 1")],
  ["Max-Forwards 256", (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 256")],
  ["Max-Forwards first", (text) => text.replace(/(Via:[\s\S]*)(Max-Forwards: \d+\r\n)/, "$2$1")],
  ["From before Via", (text) => text.replace(/(Via: [^\r]*\r\n)(From: [^\r]*\r\n)/, "$2$1")],
  ["a Route to us", before("Route: <sip:10.0.0.1;lr>")],
  ["a Route elsewhere", before("Route: <sip:192.0.2.9;lr>")],
  ["a Record-Route", before("Record-Route: <sip:192.0.2.9;lr>")],
  ["Max-Breadth", before("Max-Breadth: 3")],
  ["Proxy-Require", before("Proxy-Require: x")],
  ["Require", before("Require: 100rel")],
  ["a Timestamp", before("Timestamp: 54")],
  ["an identity", before("P-Asserted-Identity: <sip:boss@a>")],
  ["a Path", before("Path: <sip:a;lr>")],
  ["an Authorization", before('Authorization: Digest username="x"')],
  ["a field that nobody knows", before("X-Phone: \xe4 \xff;=,")],
  ["a body", (text) => text.replace(/Content-Length: 0\r\n\r\n$/, "Content-Length: 5\r\n\r\n\xff\r\n\x00.")],
  ["bytes behind", (text) => `${text}more`],
  ["no Content-Length", (text) => text.replace(/Content-Length: \d+\r\n/, "")],
  ["a name in lower case", (text) => text.replace("Contact:", "contact:")],
  ["a fold", (text) => text.replace("\r\nContact: ", "\r\nContact:\r\n ")],
  ["no credentials", (text) => text.replace(/Proxy-Authorization: [^\r]*\r\n/, "")],
  ["credentials twice", (text) => text.replace(/(Proxy-Authorization: [^\r]*\r\n)/, "$1$1")],
  ["credentials of another scheme", (text) => text.replace("Digest", "Basic")],
  ["credentials of another realm", (text) => text.replace(`realm="${DOMAIN}"`, 'realm="other"')],
  ["another user in the credentials", (text) => text.replace('username="alice"', 'username="bob"')],
  ["another digest-uri", (text) => text.replace(/, uri="[^"]*"/, ', uri="sip:example.org"')],
  ["a wrong response", (text) => text.replace(/response="./, 'response="x')],
  [
    "a response that is wrong by a digit",
    (text) => text.replace(/response="(.)/, (_, d: string) => `response="${d === "0" ? "1" : "0"}`),
  ],
  [
    "a response in capitals",
    (text) => text.replace(/response="[^"]*/, (found) => found.toUpperCase().replace("RESPONSE", "response")),
  ],
  ["a forged nonce", (text) => text.replace(/nonce="./, 'nonce="_')],
  ["no algorithm", (text) => text.replace(", algorithm=MD5", "")],
  ["a quoted algorithm", (text) => text.replace("algorithm=MD5", 'algorithm="MD5"')],
  ["another algorithm", (text) => text.replace("algorithm=MD5", "algorithm=SHA-256")],
  ["a quoted qop", (text) => text.replace("qop=auth", 'qop="auth"')],
  ["another qop", (text) => text.replace("qop=auth", "qop=auth-int")],
  ["no qop", (text) => text.replace(", qop=auth", "")],
  ["no cnonce", (text) => text.replace(/, cnonce="[^"]*"/, "")],
  ["an opaque", (text) => text.replace(", qop=auth", ', opaque="x", qop=auth')],
  ["an unknown part", (text) => text.replace(", qop=auth", ", x=y, qop=auth")],
  ["a part twice", (text) => text.replace(", qop=auth", ", qop=auth, qop=auth")],
  ["no spaces between parts", (text) => text.replaceAll(/", (?=\w+=)/g, '",')],
  ["a comma at the end", (text) => text.replace(/(Proxy-Authorization: [^\r]*)/, "$1,")],
  ["a short count", (text) => text.replace(/nc=0/, "nc=")],
  ["a count that is no number", (text) => text.replace(/nc=0/, "nc=x")],
  ["a backslash in the user's name", (text) => text.replace('username="alice"', 'username="al\\ice"')],
]

interface Story {
  readonly change: (text: string) => string
  readonly times: number
  readonly answers: readonly string[]
  readonly cancel: "no" | "early" | "late"
  /** Where bob is, and how the node is. */
  readonly scene: (typeof SCENES)[number]
  readonly pause: number
}

const SCENES = [
  "usual",
  "away",
  "two phones",
  "elsewhere",
  "by name",
  "nobody",
  "busy",
  "no store",
  "silent store",
] as const

function set(scene: Story["scene"], { farm, node, bob }: Side): void {
  if (scene === "away" || scene === "elsewhere")
    bob.ask(node, "REGISTER", { contact: "*", headers: ["Expires: 0"] })
  if (scene === "elsewhere") assert.equal(statusOf(bob.register(farm.nodes[1]!)), 200)
  if (scene === "two phones") bob.register(node, { contact: "<sip:bob@192.0.2.3:5060>;q=0.5" })
  if (scene === "by name") bob.register(node, { contact: "<sip:bob@phone.example.net>;q=0.7" })
  if (scene === "nobody") farm.subscribers.delete(`bob@${DOMAIN}`)
  if (scene === "busy") node.refusal = "the disk is full"
  if (scene === "no store") farm.storeFault = "unavailable"
  if (scene === "silent store") farm.storeFault = "silent"
}

/** What both sides said, and what is left of it in the node. */
function told({ farm, node, alice, bob }: Side) {
  const logs = node.effects.filter(({ kind }) => kind === "log" || kind === "count")
  const sent = node.effects.flatMap((effect) => (effect.kind === "send" ? [[effect.id, effect.hop]] : []))
  // What is read asks, even where it need not.
  const asked = farm.recallsBindings ? [] : node.asked()
  const { deadline, statistics } = node.server
  const [inboxes, lost] = [[[...alice.inbox], [...bob.inbox]], [...node.lost]]
  return { inboxes, logs, sent, asked, deadline, statistics, lost, now: farm.now }
}

function play(
  both: readonly Side[],
  { change, times, answers, cancel, scene, pause }: Story,
  number: number,
): void {
  const heard = both.map((each) => {
    const { farm, node, alice, bob, challenge, isRead } = each
    // Who alice is has just been asked, as it has been of any phone that calls now and then.
    assert.equal(statusOf(alice.register(node)), 200)
    set(scene, each)
    for (const list of [alice.inbox, bob.inbox, node.effects, node.lost]) list.length = 0
    const parts = { uri: URI, to: TO, callId: `call-${number}`, cseq: number, branch: `z9hG4bKa${number}` }
    const credentials = alice.credentials(challenge, "INVITE", URI)
    const proper = alice.text("INVITE", { ...parts, headers: [credentials] })
    const changed = change(proper)
    const text = isRead ? changed.replace("\r\nCall-ID: ", "\r\ni: ") : changed
    for (let time = 0; time < times; time++) alice.send(node, text)
    const stop = () => alice.send(node, alice.text("CANCEL", parts))
    if (cancel === "early") stop()
    const invite = bob.inbox.findLast((got) => got.startsWith("INVITE "))
    if (invite !== undefined) for (const status of answers) bob.answer(node, invite, status)
    if (cancel === "late") stop()
    if (scene === "silent store") farm.advance(6_000)
    farm.storeFault = undefined
    node.refusal = undefined
    farm.addUser("bob", "secret")
    farm.advance(pause)
    const said = told(each)
    for (const list of [node.effects]) list.length = 0
    bob.ask(node, "REGISTER", { contact: "*", headers: ["Expires: 0"] })
    bob.register(node)
    farm.advance(1_000)
    return said
  })
  assert.deepEqual(heard[0], heard[1])
}

test("each way in which an INVITE may be written goes on the same, whether it is recognized or read", () => {
  const [asking, recalling] = [sides(false), sides(true)]
  let number = 100
  for (const [name, change] of CHANGES) {
    const story = {
      change,
      times: 2,
      answers: ["180 Ringing", "200 OK"],
      cancel: "no",
      scene: "usual",
      pause: 100,
    } as const
    try {
      play(asking, story, ++number)
      play(recalling, story, number)
    } catch (error) {
      throw new Error(name, { cause: error })
    }
  }
})

test("whatever comes of it, and wherever it leads, an INVITE that is recognized fares as one that is read", () => {
  const story: fc.Arbitrary<Story> = fc.record({
    change: fc.oneof(
      fc.constant((text: string) => text),
      fc.constantFrom(...CHANGES.map(([, change]) => change)),
    ),
    times: fc.constantFrom(1, 1, 2),
    answers: fc.array(
      fc.constantFrom(
        "100 Trying",
        "180 Ringing",
        "200 OK",
        "200 OK",
        "302 Moved",
        "486 Busy Here",
        "503 Down",
        "603 No",
      ),
      { maxLength: 3 },
    ),
    cancel: fc.constantFrom("no" as const, "no" as const, "early" as const, "late" as const),
    scene: fc.oneof(fc.constant("usual" as const), fc.constantFrom(...SCENES)),
    pause: fc.constantFrom(0, 600, 40_000, 250_000),
  })
  fc.assert(
    fc.property(fc.array(story, { minLength: 1, maxLength: 4 }), fc.boolean(), (stories, recalls) => {
      const both = sides(recalls)
      for (const [index, each] of stories.entries()) play(both, each, 100 + index)
    }),
    { seed: 3261, numRuns: 250 },
  )
})

test("an INVITE is recognized where it is plain, and used for one thing only", () => {
  const { node, alice, challenge } = side(false)
  const text = alice.text("INVITE", {
    uri: URI,
    to: TO,
    headers: [alice.credentials(challenge, "INVITE", URI)],
  })
  const invites = new Invites()
  const isRecognized = (written: string) =>
    invites.read(new Uint8Array(Buffer.from(written, "latin1")), alice.flowTo(node)) !== undefined
  const plain = [
    "as it has to be",
    "no rport",
    "rport behind the branch",
    "another port in Contact",
    "Require",
    "a body",
  ]
  for (const name of [...plain, "a name before To", "a name before From", "a name before Contact"])
    assert.ok(isRecognized(CHANGES.find(([title]) => title === name)![1](text)), name)
  for (const name of [
    "no credentials",
    "a tag in To",
    "a Route to us",
    "another address in Contact",
    "a fold",
  ])
    assert.ok(!isRecognized(CHANGES.find(([title]) => title === name)![1](text)), name)
  assert.ok(!isRecognized(text.replace("Call-ID: ", "i: ")))
})
