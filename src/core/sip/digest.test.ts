import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { openSslHashes as hashes } from "../../../test/support/hashes.ts"
import { FormatError } from "../kit/errors.ts"
import { digestResponse, formatChallenge, ha1, parseAuthorization } from "./digest.ts"

const rfc7616 = (algorithm: string, response: string) =>
  `Digest username="Mufasa",
    realm="http-auth@example.org",
    uri="/dir/index.html",
    algorithm=${algorithm},
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    nc=00000001,
    cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    qop=auth,
    response="${response}",
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`.replaceAll(/\n */g, " ")

describe("digest, by the examples of RFC 7616 §3.9.1", () => {
  for (const [algorithm, response] of [
    ["MD5", "8ca523f5e9506fed4657c9700eebdbec"],
    ["SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"],
  ] as const) {
    test(`${algorithm} with qop=auth`, () => {
      const credentials = parseAuthorization(rfc7616(algorithm, response))
      assert.ok(credentials)
      const secret = ha1(hashes, algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
      assert.equal(digestResponse(hashes, secret, "GET", credentials), credentials.response)
      assert.notEqual(digestResponse(hashes, secret, "PUT", credentials), credentials.response)
    })
  }
})

test("without qop the response is RFC 2069's", () => {
  // Computed with md5sum: H(bob:biloxi.com:zanzibar), H(INVITE:sip:bob@biloxi.com).
  const credentials = parseAuthorization(
    'digest username="bob",realm="biloxi.com",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",' +
      'uri="sip:bob@biloxi.com" , response="BF57E4E0D0BFFC0FBAEDCE64D59ADD5E"',
  )
  assert.ok(credentials)
  assert.deepEqual([credentials.algorithm, credentials.auth], ["MD5", undefined])
  const secret = ha1(hashes, "MD5", "bob", "biloxi.com", "zanzibar")
  assert.equal(digestResponse(hashes, secret, "INVITE", credentials), "bf57e4e0d0bffc0fbaedce64d59add5e")
  assert.equal(credentials.response, "bf57e4e0d0bffc0fbaedce64d59add5e")
})

describe("parseAuthorization", () => {
  const rest = 'realm="r", nonce="n", uri="sip:r", response="00"'

  test("undoes quotes and takes the name of RFC 7616 §3.4 as bytes", () => {
    assert.equal(parseAuthorization(`Digest username="a\\"b", ${rest}`)?.username, 'a"b')
    const extended = parseAuthorization(`Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, ${rest}`)
    assert.equal(extended?.username, "J\xc3\xa4s\xc3\xb8n Doe")
  })

  test("is no wiser for schemes and algorithms that we do not speak", () => {
    assert.equal(parseAuthorization("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), undefined)
    assert.equal(parseAuthorization(`Digest username="a", algorithm=AKAv1-MD5, ${rest}`), undefined)
  })

  for (const nonsense of [
    "",
    "Digest",
    "Digest username",
    'Digest username="a"',
    `Digest ${rest}`,
    `Digest username="a, ${rest}`,
    `Digest username="a" ${rest}`,
    `Digest username="a", ${rest},`,
    `Digest username="a", username="b", ${rest}`,
    `Digest username="a", qop=auth-int, ${rest}`,
    `Digest username="a", qop=auth, nc=1, cnonce="c", ${rest}`,
    `Digest username="a", qop=auth, nc=00000001, ${rest}`,
    'Digest username="a", realm="r", nonce="n", uri="sip:r", response="xyz"',
  ]) {
    test(`refuses ${nonsense || "an empty value"}`, () => {
      assert.throws(() => parseAuthorization(nonsense), FormatError)
    })
  }
})

test("a challenge is written as RFC 3261 §20.44 does, qop in quotes and algorithm without", () => {
  assert.equal(
    formatChallenge({ realm: "example.org", nonce: "abc", algorithm: "MD5" }),
    'Digest realm="example.org", nonce="abc", algorithm=MD5, qop="auth"',
  )
  assert.equal(
    formatChallenge({ realm: "r", nonce: "n", algorithm: "SHA-256", stale: true, opaque: "o" }),
    'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth", opaque="o", stale=true',
  )
})

test("a password is hashed as UTF-8", () => {
  // printf 'jos\xc3\xa9:r:\xe2\x82\xac' | md5sum
  assert.equal(ha1(hashes, "MD5", "josé", "r", "€"), "1b08f29ad08697eb5325f01b8ddaf7b7")
})
