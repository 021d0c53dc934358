import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../test/support/hashes.ts"
import { SeededRandom } from "../core/kit/random.ts"
import { digestResponse, ha1, parseAuthorization } from "../core/sip/digest.ts"
import { parseMessage } from "../core/sip/parse.ts"
import { makeResponse } from "../core/sip/respond.ts"
import { serializeMessage } from "../core/sip/serialize.ts"
import type { Transport } from "../core/sip/transport.ts"
import {
  answerChallenge,
  branchOfRequest,
  type Dialog,
  type Draft,
  draftWithin,
  remoteTarget,
  requestOf,
} from "./phone-requests.ts"

const senderOf = (transport: Transport) => ({
  address: { host: "192.0.2.1", port: 5060 },
  transport,
  random: new SeededRandom(1),
})

const draft: Draft = {
  method: "REGISTER",
  uri: "sip:example.org",
  from: "<sip:alice@example.org>;tag=t1",
  to: "<sip:alice@example.org>",
  callId: "call",
  cseq: 4,
  routes: ["<sip:token@192.0.2.9;lr>", "<sip:192.0.2.8;lr>"],
  extra: [["Expires", "60"]],
}

test("a request is sound SIP, with a Via and a branch of its own each time", () => {
  const sender = senderOf("UDP")
  const [request, again] = [requestOf(sender, draft), requestOf(sender, draft)]
  assert.notEqual(branchOfRequest(request), branchOfRequest(again))
  const branch = branchOfRequest(request)
  assert.match(branch, /^z9hG4bK[a-z0-9]+$/)
  assert.deepEqual(Buffer.from(serializeMessage(request)).toString().split("\r\n").slice(0, 11), [
    "REGISTER sip:example.org SIP/2.0",
    `Via: SIP/2.0/UDP 192.0.2.1:5060;branch=${branch};rport`,
    "Max-Forwards: 70",
    "Route: <sip:token@192.0.2.9;lr>",
    "Route: <sip:192.0.2.8;lr>",
    "From: <sip:alice@example.org>;tag=t1",
    "To: <sip:alice@example.org>",
    "Call-ID: call",
    "CSeq: 4 REGISTER",
    "Expires: 60",
    "Content-Length: 0",
  ])
  parseMessage(serializeMessage(requestOf(senderOf("TCP"), draft)))
  assert.doesNotMatch(requestOf(senderOf("TCP"), draft).headers.first("Via")!, /rport/)
})

test("a challenge is answered as its algorithm and its kind want, under the next CSeq", () => {
  const challenges = [
    [401, "WWW-Authenticate", "MD5", "Authorization"],
    [407, "Proxy-Authenticate", "SHA-256", "Proxy-Authorization"],
  ] as const
  for (const [status, name, algorithm, answer] of challenges) {
    const value = `Digest realm="example.org", nonce="abc", algorithm=${algorithm}, qop="auth"`
    const headers = [{ name, value }]
    const response = makeResponse(requestOf(senderOf("UDP"), draft), status, undefined, { headers })
    const credentials = { user: "alice", password: "secret" }
    const answered = answerChallenge(openSslHashes, credentials, draft, response, 10, "cn")
    assert.ok(answered)
    assert.equal(answered.cseq, 5)
    const [, text] = answered.extra.find(([each]) => each === answer)!
    const given = parseAuthorization(text)!
    const { response: proof, ...rest } = given
    assert.deepEqual(rest, {
      username: "alice",
      realm: "example.org",
      nonce: "abc",
      uri: "sip:example.org",
      algorithm,
      opaque: undefined,
      auth: { nc: "0000000a", cnonce: "cn" },
    })
    const secret = ha1(openSslHashes, algorithm, "alice", "example.org", "secret")
    assert.equal(proof, digestResponse(openSslHashes, secret, "REGISTER", given))
    const wrong = answerChallenge(openSslHashes, credentials, answered, response, 11, "cn")
    assert.equal(wrong, undefined, "a refused password is not tried again")
    const late = { name, value: `${value}, stale=true` }
    const stale = makeResponse(requestOf(senderOf("UDP"), draft), status, undefined, { headers: [late] })
    const again = answerChallenge(openSslHashes, credentials, answered, stale, 11, "cn")
    assert.equal(again!.extra.length, answered.extra.length, "old credentials are replaced")
  }
})

test("what is no challenge, or none that can be answered, gets no answer", () => {
  const request = requestOf(senderOf("UDP"), draft)
  const refusals = [
    makeResponse(request, 403),
    makeResponse(request, 401),
    makeResponse(request, 401, undefined, {
      headers: [{ name: "WWW-Authenticate", value: 'Digest realm="example.org"' }],
    }),
  ]
  for (const response of refusals)
    assert.equal(
      answerChallenge(openSslHashes, { user: "alice", password: "secret" }, draft, response, 1, "cn"),
      undefined,
    )
})

test("a request within a dialog goes to the dialog's target along its routes", () => {
  const dialog: Dialog = {
    local: "<sip:a@example.org>;tag=1",
    remote: "<sip:b@example.org>;tag=2",
    target: "sip:b@192.0.2.7",
    routes: ["<sip:p;lr>"],
    cseq: 9,
  }
  const request = requestOf(senderOf("UDP"), draftWithin(dialog, "call", "BYE"))
  assert.equal(request.uri, dialog.target)
  assert.deepEqual(
    ["Route", "From", "To", "CSeq"].map((name) => request.headers.first(name)),
    ["<sip:p;lr>", dialog.local, dialog.remote, "9 BYE"],
  )
})

test("the remote target is the first Contact's URI, and there is none in a star or nothing", () => {
  const withContact = (value: string) => {
    const extra = [["Contact", value]] as const
    return requestOf(senderOf("UDP"), { ...draft, extra })
  }
  assert.equal(remoteTarget(withContact('"A, B" <sip:a@h;x>;q=1, <sip:b@h>')), "sip:a@h;x")
  assert.equal(remoteTarget(withContact("*")), undefined)
  assert.equal(remoteTarget(requestOf(senderOf("UDP"), draft)), undefined)
})
