import assert from "node:assert/strict"
import { test } from "node:test"
import { fromLatin1, toLatin1 } from "../../src/core/kit/bytes.ts"
import { parseAuthorization } from "../../src/core/sip/digest.ts"
import {
  callIdOf,
  contactsOf,
  cseqOf,
  dialogIdOf,
  expiresOf,
  fromOf,
  maxForwardsOf,
  proxyRequireOf,
  qOf,
  requireOf,
  routesOf,
  tagOf,
  toOf,
  viasOf,
} from "../../src/core/sip/fields.ts"
import { StreamFramer } from "../../src/core/sip/framing.ts"
import type { SipMessage, SipRequest, SipResponse } from "../../src/core/sip/message.ts"
import type { NameAddress } from "../../src/core/sip/name-address.ts"
import { parseMessage } from "../../src/core/sip/parse.ts"
import { SipParseError } from "../../src/core/sip/parse-error.ts"
import { makeResponse } from "../../src/core/sip/respond.ts"
import { serializeMessage } from "../../src/core/sip/serialize.ts"
import { canonicalUser, equalUris, parseSipUri, parseUri } from "../../src/core/sip/uri.ts"
import { branchOf } from "../../src/core/sip/via.ts"
import { plainMessage } from "../support/plain-message.ts"
import { RFC_4475, tortureBytes } from "./torture.ts"

const tested = new Set<string>()

function valid(name: string, claim: string, look: (message: SipMessage) => void): void {
  const { section } = entry(name, "valid")
  test(`RFC 4475 §${section} ${name}: ${claim}`, () => {
    const message = parseMessage(tortureBytes(name))
    look(message)
    const headers = message.headers.with("Content-Length", `${message.body.length}`)
    const forwarded = parseMessage(serializeMessage(message))
    assert.deepEqual(
      plainMessage(forwarded),
      plainMessage({ ...message, headers }),
      "survives being forwarded",
    )
  })
}

const validRequest = (name: string, claim: string, look: (request: SipRequest) => void = () => {}) =>
  valid(name, claim, (message) => {
    assert.equal(message.kind, "request")
    if (message.kind === "request") look(message)
  })

const validResponse = (name: string, claim: string, look: (response: SipResponse) => void) =>
  valid(name, claim, (message) => {
    assert.equal(message.kind, "response")
    if (message.kind === "response") look(message)
  })

/** That it is refused so, and that what the error keeps is enough for an answer to find its way. */
function answered(name: string, status: number, reason: string, claim: string, via: string): void {
  const { section } = entry(name, "invalid")
  test(`RFC 4475 §${section} ${name}: ${claim}`, () => {
    const error = refusal(name)
    assert.deepEqual([error.status, error.reason], [status, reason])
    assert.ok(error.salvage)
    const answer = makeResponse(error.salvage, status, reason, { toTag: "here" })
    assert.equal(answer.headers.first("Via"), via)
    const text = toLatin1(serializeMessage(answer))
    assert.ok(text.startsWith(`SIP/2.0 ${status} ${reason}\r\n`))
  })
}

function dropped(name: string, claim: string): void {
  const { section } = entry(name, "invalid")
  test(`RFC 4475 §${section} ${name}: ${claim}`, () => assert.equal(refusal(name).salvage, undefined))
}

function entry(name: string, grammar: "valid" | "invalid") {
  tested.add(name)
  const found = RFC_4475.find((message) => message.name === name)
  assert.equal(found?.grammar, grammar)
  return found
}

function refusal(name: string): SipParseError {
  try {
    parseMessage(tortureBytes(name))
  } catch (error) {
    if (error instanceof SipParseError) return error
    throw error
  }
  throw new assert.AssertionError({ message: `${name} was taken` })
}

function contacts(message: SipMessage): readonly NameAddress[] {
  const found = contactsOf(message)
  assert.notEqual(found, "*")
  return found === "*" ? [] : found
}

validRequest("wsinv", "white space, folds and compact names wherever the grammar lets them be", (request) => {
  assert.equal(request.uri, "sip:vivekg@chair-dnrc.example.com;unknownparam")
  assert.deepEqual(dialogIdOf(request), {
    callId: "wsinv.ndaksdj@192.0.2.1",
    fromTag: "98asjd8",
    toTag: "1918181833n",
  })
  assert.equal(fromOf(request).displayName, 'J Rosenberg \\"')
  assert.equal(maxForwardsOf(request), 68)
  assert.deepEqual(cseqOf(request), { number: 9, method: "INVITE" })
  assert.deepEqual(
    viasOf(request).map((via) => [via.transport, via.host, branchOf(via)]),
    [
      ["UDP", "192.0.2.2", "390skdjuw"],
      ["TCP", "spindle.example.com", "z9hG4bK9ikj8"],
      ["UDP", "192.168.255.111", "z9hG4bK30239"],
    ],
  )
  assert.equal(request.headers.first("Subject"), "")
  assert.equal(request.headers.first("NewFangledHeader"), "newfangled value continued newfangled value")
  assert.equal(request.headers.first("UnknownHeaderWithUnusualValue"), ";;,,;;,;")
  const [contact] = contacts(request)
  assert.equal(contact!.displayName, 'Quoted string ""')
  assert.equal(contact!.parameters.toString(), ";newparam=newvalue;secondparam;q=0.33")
  assert.equal(qOf(contact!), 330)
  assert.equal(routesOf(request)[0]!.uri, "sip:services.example.com;lr;unknownwith=value;unknown-no-value")
  assert.equal(request.body.length, 150)
})

validRequest(
  "intmeth",
  "any token is a method, any byte may be quoted, and % escapes in URIs alone",
  (request) => {
    assert.equal(request.method, "!interesting-Method0123456789_*+`.%indeed'~")
    const uri = parseSipUri(request.uri)
    assert.equal(uri.user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    assert.equal(uri.password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
    assert.equal(uri.host, "example.com")
    assert.equal(toOf(request).displayName, "BEL:\x07 NUL:\x00 DEL:\x7f")
    const from = fromOf(request)
    assert.equal(from.displayName, "token1~` token2'+_ token3*%!.-")
    assert.equal(tagOf(from), "_token~1'+`*%!-.")
    const russian = Buffer.from(from.parameters.getUnquoted("fromparam''~+*_!.-%") ?? "", "latin1")
    assert.equal(russian.toString("utf8"), "работающий")
    assert.equal(callIdOf(request), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{")
    assert.equal(maxForwardsOf(request), 255)
    const extension = Buffer.from(request.headers.first("extensionHeader-!.%*+_`'~") ?? "", "latin1")
    assert.equal(extension.toString("hex"), "efbbbfe5a4a7e5819ce99bbb")
  },
)

validRequest("esc01", "escapes in URIs are undone once and never twice", (request) => {
  assert.equal(canonicalUser(parseSipUri(request.uri)), "sips:user@example.com")
  assert.equal(canonicalUser(parseSipUri(toOf(request).uri)), "user")
  assert.equal(canonicalUser(parseSipUri(fromOf(request).uri)), "I have spaces")
  const contact = parseSipUri(contacts(request)[0]!.uri)
  assert.ok(contact.parameters.has("lr"))
  assert.equal(contact.parameters.get("name"), "v%61lue%25%34%31")
  const literal = "sip:caller@host5.example.net;lr;name=value"
  assert.ok(equalUris(contact, parseUri(`${literal}%2541`)))
  assert.ok(!equalUris(contact, parseUri(`${literal}A`)))
})

validRequest(
  "escnull",
  "an escaped NUL ends nothing: two contacts, and a user of eleven characters",
  (request) => {
    assert.equal(canonicalUser(parseSipUri(toOf(request).uri)), "null-\0-null")
    const [one, two] = contacts(request).map(({ uri }) => parseSipUri(uri))
    assert.deepEqual([canonicalUser(one!), canonicalUser(two!)], ["\0", "\0\0"])
    assert.ok(!equalUris(one!, two!))
  },
)

validRequest("esc02", "% is no escape in methods, names of header fields and display names", (request) => {
  assert.equal(request.method, "RE%47IST%45R")
  assert.equal(toOf(request).displayName, "%Z%45")
  assert.deepEqual(
    contacts(request).map(({ uri }) => uri),
    ["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"],
  )
})

validRequest("lwsdisp", "a display name may touch the '<'", (request) => {
  assert.deepEqual([fromOf(request).displayName, fromOf(request).uri], ["caller", "sip:caller@example.com"])
})

validRequest("longreq", "long values and 34 Vias in all their spellings come through whole", (request) => {
  assert.equal(viasOf(request).length, 34)
  assert.equal(tagOf(fromOf(request)), `12${"982".repeat(50)}424`)
  assert.equal(branchOf(viasOf(request)[33]!), `very${"long".repeat(50)}branchvalue`)
  assert.equal(callIdOf(request), `longreq.one${"really".repeat(20)}longcallid`)
  assert.equal(parseSipUri(toOf(request).uri).port, 6000)
})

validRequest("dblreq", "bytes behind the body are noise, not another request (RFC 3261 §18.3)", (request) => {
  assert.equal(request.method, "REGISTER")
  assert.equal(request.body.length, 0)
})

validRequest("semiuri", "a semicolon in the user part begins no parameter", (request) => {
  const uri = parseSipUri(request.uri)
  assert.equal(canonicalUser(uri), "user;par=u@example.net")
  assert.equal(uri.host, "example.com")
  assert.equal(uri.parameters.list.length, 0)
})

validRequest("transports", "Via names transports that nobody knows", (request) => {
  assert.deepEqual(
    viasOf(request).map(({ transport }) => transport),
    ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"],
  )
})

validRequest("mpart01", "a body holds any bytes, NUL included", (request) => {
  assert.equal(request.body.length, 553)
  assert.ok(request.body.includes("\0"))
})

validResponse("unreason", "a reason phrase says what it likes, in UTF-8", (response) => {
  assert.equal(response.status, 200)
  const phrase = Buffer.from(response.reason, "latin1").toString("utf8")
  assert.equal(phrase, "= 2**3 * 5**2 но сто девяносто девять - простое")
})

validResponse("noreason", "a reason phrase may be empty", (response) => {
  assert.deepEqual([response.status, response.reason], [100, ""])
})

test("RFC 4475 §3.1.1.13 noreason: without its last space too, as a liberal receiver may", () => {
  const text = toLatin1(tortureBytes("noreason")).replace("SIP/2.0 100 \r\n", "SIP/2.0 100\r\n")
  assert.deepEqual(parseMessage(fromLatin1(text)), parseMessage(tortureBytes("noreason")))
})

answered("badinv01", 400, "Bad Via", "separators that separate nothing are 400", "SIP/2.0/UDP 192.0.2.15")

answered(
  "clerr",
  400,
  "Content-Length Too Large",
  "a Content-Length that exceeds the datagram is 400",
  "SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523",
)

test("RFC 4475 §3.1.2.2 clerr: on a stream it waits for more", () => {
  assert.deepEqual(new StreamFramer().push(tortureBytes("clerr")), [])
})

answered(
  "ncl",
  400,
  "Bad Content-Length",
  "a negative Content-Length is 400",
  "SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw",
)

test("RFC 4475 §3.1.2.3 ncl: on a stream nothing after it can be framed", () => {
  const units = new StreamFramer().push(tortureBytes("ncl"))
  assert.deepEqual(units, [{ kind: "broken", reason: "Content-Length is malformed" }])
})

answered(
  "scalar02",
  400,
  "Bad CSeq",
  "a CSeq beyond 2^32-1 is 400",
  "SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3",
)

test("RFC 4475 §3.1.2.4 scalar02: an expiry beyond 2^32-1 alone counts as 3600", () => {
  const text = toLatin1(tortureBytes("scalar02"))
    .replace("36893488147419103232", "2")
    .replace("Max-Forwards: 300", "Max-Forwards: 30")
  assert.equal(expiresOf(parseMessage(fromLatin1(text))), 3_600)
})

dropped("scalarlg", "a response with a CSeq beyond 2^32-1 is dropped")

answered(
  "quotbal",
  400,
  "Bad To",
  "a quoted string without its end is 400",
  "SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234",
)

answered("ltgtruri", 400, "Bad Request-URI", "a Request-URI in <> is 400", "SIP/2.0/UDP 192.0.2.5")

answered(
  "lwsruri",
  400,
  "Bad Request-URI",
  "white space within the Request-URI is 400",
  "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKkdjuw2395",
)

validRequest("lwsstart", "more spaces than one in the start line are borne and not passed on", (request) => {
  assert.equal(request.uri, "sip:user@example.com")
  assert.ok(toLatin1(serializeMessage(request)).startsWith("INVITE sip:user@example.com SIP/2.0\r\n"))
})

validRequest("trws", "spaces at the end of the start line are borne and not passed on", (request) => {
  const forwarded = toLatin1(serializeMessage(request))
  assert.ok(forwarded.startsWith("OPTIONS sip:remote-target@example.com SIP/2.0\r\n"))
})

answered(
  "escruri",
  400,
  "Bad Request-URI",
  "headers in the Request-URI are 400",
  "SIP/2.0/UDP host-of-the-hour.example.com;branch=z9hG4bKkdjuw",
)

validRequest("baddate", "a Date that nobody needs may be wrong, and is passed on as it is", (request) => {
  assert.equal(request.headers.first("Date"), "Fri, 01 Jan 2010 16:00:00 EST")
})

answered(
  "regbadct",
  400,
  "Bad Contact",
  "a URI with a question mark and without <> is 400",
  "SIP/2.0/UDP 135.180.130.133:5060;branch=z9hG4bKkdjuw",
)

answered(
  "badaspec",
  400,
  "Bad To",
  "spaces within the <> are 400",
  "SIP/2.0/UDP host4.example.com:5060;branch=z9hG4bKkdju43234",
)

answered(
  "baddn",
  400,
  "Bad From",
  "a comma in a display name without quotes is 400",
  "SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw",
)

answered(
  "badvers",
  505,
  "Version Not Supported",
  "SIP/7.0 is 505",
  "SIP/2.0/UDP c.example.com;branch=z9hG4bKkdjuw",
)

answered(
  "mismatch01",
  400,
  "CSeq Method Mismatch",
  "a CSeq of another method is 400",
  "SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw",
)

answered(
  "mismatch02",
  501,
  "Not Implemented",
  "an unknown method with a CSeq of another one is 501",
  "SIP/2.0/UDP host.example.net;branch=z9hG4bKkdjuw",
)

dropped("bigcode", "a response code beyond 699 is dropped")

answered(
  "badbranch",
  400,
  "Bad Via Branch",
  "a branch that is the magic cookie and nothing else is 400",
  "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK",
)

answered(
  "insuf",
  400,
  "Missing From",
  "without From, To and Call-ID it is 400, sent by the Via that is there",
  "SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf",
)

validRequest("unkscm", "any scheme will do for the grammar (the server says 416)", (request) => {
  assert.deepEqual(parseUri(request.uri), {
    kind: "other",
    scheme: "nobodyknowsthisscheme",
    opaque: "totallyopaquecontent",
  })
})

validRequest("novelsc", "any registered scheme will do for the grammar (the server says 416)", (request) => {
  assert.deepEqual(parseUri(request.uri), {
    kind: "other",
    scheme: "soap.beep",
    opaque: "//192.0.2.103:3002",
  })
})

validRequest("unksm2", "From, To and Contact may be of any scheme (the registrar says 400)", (request) => {
  assert.equal(toOf(request).uri, "isbn:2983792873")
  assert.equal(fromOf(request).uri, "http://www.example.com")
  assert.equal(contacts(request)[0]!.uri, "name:John_Smith")
})

validRequest("bext01", "option tags that nobody knows are read (the server says 420)", (request) => {
  assert.deepEqual(requireOf(request), ["nothingSupportsThis", "nothingSupportsThisEither"])
  assert.deepEqual(proxyRequireOf(request), ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"])
})

validRequest("invut", "a body may be of any type", (request) => {
  assert.equal(request.headers.first("Content-Type"), "application/unknownformat")
})

validRequest("regaut01", "credentials of an unknown scheme are none (the registrar says 401)", (request) => {
  assert.equal(parseAuthorization(request.headers.first("Authorization") ?? ""), undefined)
})

answered(
  "multi01",
  400,
  "Multiple CSeq",
  "two of what may come once are 400",
  "SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw",
)

answered(
  "mcl01",
  400,
  "Multiple Content-Length",
  "two Content-Length are 400",
  "SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423",
)

test("RFC 4475 §3.3.9 mcl01: on a stream nothing after it can be framed", () => {
  const units = new StreamFramer().push(tortureBytes("mcl01"))
  assert.deepEqual(units, [{ kind: "broken", reason: "several Content-Length" }])
})

validResponse("bcast", "a Via of a broadcast address is grammar (the proxy drops it)", (response) => {
  assert.equal(viasOf(response)[1]!.host, "255.255.255.255")
})

validRequest("zeromf", "Max-Forwards may be 0 (the proxy says 483)", (request) => {
  assert.equal(maxForwardsOf(request), 0)
})

validRequest("cparam01", "a parameter without <> is the Contact's, not the URI's", (request) => {
  const [contact] = contacts(request)
  assert.equal(contact!.uri, "sip:+19725552222@gw1.example.net")
  assert.ok(contact!.parameters.has("unknownparam"))
})

validRequest("cparam02", "a parameter within <> is the URI's, not the Contact's", (request) => {
  const [contact] = contacts(request)
  assert.ok(parseSipUri(contact!.uri).parameters.has("unknownparam"))
  assert.equal(contact!.parameters.list.length, 0)
})

validRequest("regescrt", "a contact's URI keeps its escaped header", (request) => {
  assert.equal(contacts(request)[0]!.uri, "sip:user@example.com?Route=%3Csip:sip.example.com%3E")
})

validRequest("sdp01", "an Accept that leaves no room for SDP is between the phones", (request) => {
  assert.equal(request.headers.first("Accept"), "text/nobodyKnowsThis")
})

validRequest("inv2543", "what RFC 2543 allowed to be missing may be missing", (request) => {
  assert.equal(branchOf(viasOf(request)[0]!), undefined)
  assert.equal(tagOf(fromOf(request)), undefined)
  assert.equal(maxForwardsOf(request), undefined)
  assert.equal(request.body.length, 105)
  // Without <> the parameter is To's.
  assert.equal(toOf(request).parameters.get("user"), "phone")
})

test("every message of RFC 4475 has its test", () => {
  assert.deepEqual(
    RFC_4475.map(({ name }) => name).filter((name) => !tested.has(name)),
    [],
  )
})
