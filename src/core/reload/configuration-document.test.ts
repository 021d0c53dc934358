import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { fromUtf8 } from "../kit/bytes.ts"
import { FormatError } from "../kit/errors.ts"
import { NEVER } from "../kit/time.ts"
import { parseConfiguration } from "./configuration-document.ts"

// Written by hand after the example of RFC 6940 §11.1.
const CONFIGURATION = `<configuration instance-name="overlay.example.org" sequence="22"
      expiration="2002-10-10T07:00:00Z" ext:ext-example="stuff" >
      <topology-plugin> CHORD-RELOAD </topology-plugin>
      <node-id-length>16</node-id-length>
      <root-cert>
        AQID
        BAU=
      </root-cert>
      <root-cert> YmFkIGNlcnQK </root-cert>
      <enrollment-server>https://example.org</enrollment-server>
      <bootstrap-node address="192.0.0.1" port="6085" />
      <bootstrap-node address="2001:DB8::1" />
      <turn-density> 20 </turn-density>
      <clients-permitted> 0 </clients-permitted>
      <no-ice> true </no-ice>
      <chord:chord-update-interval>
          400</chord:chord-update-interval>
      <chord:chord-ping-interval>30</chord:chord-ping-interval>
      <chord:chord-reactive> false </chord:chord-reactive>
      <max-message-size>4000</max-message-size>
      <initial-ttl> 30 </initial-ttl>
      <overlay-reliability-timer> 3500 </overlay-reliability-timer>
      <overlay-link-protocol>TLS</overlay-link-protocol>
      <configuration-signer>47112162e84c69ba47112162e84c69ba</configuration-signer>
      <kind-signer> 47112162E84C69BA47112162E84C69BA </kind-signer>
      <bad-node> 6ebc45d31a9000006ebc45d31a900ca6 </bad-node>
      <ext:example-extension> föö 😀 </ext:example-extension>
      <required-kinds>
        <kind-block>
          <kind name="SIP-REGISTRATION">
              <data-model>SINGLE</data-model>
              <access-control>USER-MATCH</access-control>
              <max-count>1</max-count>
              <max-size>100</max-size>
          </kind>
          <kind-signature> AQIDBA== </kind-signature>
        </kind-block>
        <kind-block>
          <kind id="4026531841">
              <data-model>ARRAY</data-model>
              <access-control>NODE-MULTIPLE</access-control>
              <max-node-multiple>3</max-node-multiple>
              <max-count>22</max-count>
              <max-size>4</max-size>
              <ext:example-kind-extension> 1 </ext:example-kind-extension>
          </kind>
        </kind-block>
      </required-kinds>
  </configuration>`

const overlay = (content: string) => `<?xml version="1.0" encoding="UTF-8"?>
<overlay xmlns="urn:ietf:params:xml:ns:p2p:config-base"
  xmlns:ext="urn:ietf:params:xml:ns:p2p:config-ext1"
  xmlns:chord="urn:ietf:params:xml:ns:p2p:config-chord">
  ${content}
</overlay>
`

const minimal = (content: string, name = "a.example") =>
  overlay(`<configuration instance-name="${name}">${content}</configuration>`)

const refused = (xml: string, problem: RegExp) =>
  assert.throws(
    () => parseConfiguration(xml),
    (cause) => cause instanceof FormatError && problem.test(cause.message),
  )

describe("parseConfiguration", () => {
  test("reads the RFC's example, and passes over what it does not know", () => {
    const document = parseConfiguration(overlay(`${CONFIGURATION}\n<signature> BQYH </signature>`))
    assert.deepEqual(document.configuration, {
      instanceName: "overlay.example.org",
      sequence: 22,
      expiration: 1_034_233_200_000,
      topologyPlugin: "CHORD-RELOAD",
      nodeIdLength: 16,
      rootCertificates: [Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.from(Buffer.from("bad cert\n"))],
      enrollmentServers: ["https://example.org"],
      bootstrapNodes: [
        { host: "192.0.0.1", port: 6085 },
        { host: "2001:DB8::1", port: 6084 },
      ],
      clientsPermitted: false,
      noIce: true,
      maxMessageSize: 4_000,
      initialTtl: 30,
      overlayReliabilityTimer: 3_500,
      overlayLinkProtocols: ["TLS"],
      configurationSigners: ["47112162e84c69ba47112162e84c69ba"],
      kindSigners: ["47112162e84c69ba47112162e84c69ba"],
      badNodes: ["6ebc45d31a9000006ebc45d31a900ca6"],
      mandatoryExtensions: [],
      kinds: [
        // IANA's model and access control count, not the document's.
        {
          id: 1,
          name: "SIP-REGISTRATION",
          model: "dictionary",
          access: "USER-NODE-MATCH",
          maxCount: 1,
          maxSize: 100,
        },
        {
          id: 0xf0000001,
          name: undefined,
          model: "array",
          access: "NODE-MULTIPLE",
          maxCount: 22,
          maxSize: 4,
          maxNodeMultiple: 3,
        },
      ],
      chord: { updateInterval: 400_000, pingInterval: 30_000, reactive: false },
      sipDomain: "overlay.example.org",
    })
    assert.deepEqual(document.signature, Uint8Array.of(5, 6, 7))
  })

  test("cuts signed parts out byte for byte, white space and line ends included", () => {
    for (const text of [CONFIGURATION, CONFIGURATION.replaceAll("\n", "\r\n")]) {
      const document = parseConfiguration(overlay(text))
      assert.equal(fromUtf8(document.signedBytes), text)
      const [first, second] = document.kindBlocks
      assert.ok(text.includes(fromUtf8(first!.signedBytes)!))
      assert.match(fromUtf8(first!.signedBytes)!, /^<kind name="SIP-REGISTRATION">[\s\S]*<\/kind>$/)
      assert.deepEqual(first!.signature, Uint8Array.of(1, 2, 3, 4))
      assert.equal(second!.signature, undefined)
    }
  })

  test("takes the RFC's defaults for what a document leaves out", () => {
    const { configuration, signature } = parseConfiguration(minimal(""))
    assert.equal(signature, undefined)
    assert.equal(configuration.sequence, 0)
    assert.equal(configuration.expiration, NEVER)
    assert.equal(configuration.topologyPlugin, "CHORD-RELOAD")
    assert.equal(configuration.maxMessageSize, 5_000)
    assert.equal(configuration.initialTtl, 100)
    assert.equal(configuration.overlayReliabilityTimer, 3_000)
    assert.deepEqual(configuration.overlayLinkProtocols, ["TLS"])
    assert.equal(configuration.clientsPermitted, true)
    assert.equal(configuration.noIce, false)
    assert.deepEqual(configuration.chord, {
      updateInterval: 600_000,
      pingInterval: 3_600_000,
      reactive: true,
    })
  })

  test("finds the configuration of the overlay that is asked for, with its own signature", () => {
    const two = overlay(
      `<configuration instance-name="a.example"/><signature>AQ==</signature>
       <configuration instance-name="b.example"/><signature>Ag==</signature>`,
    )
    assert.deepEqual(parseConfiguration(two, "b.example").signature, Uint8Array.of(2))
    assert.throws(() => parseConfiguration(two, "c.example"), /no <configuration> is for c\.example/)
  })

  test("refuses an extension or a Kind that the overlay demands and we do not have", () => {
    refused(minimal("\n<mandatory-extension>urn:other</mandatory-extension>"), /line 6: .* urn:other/)
    const kind =
      "<max-count>1</max-count><max-size>1</max-size><data-model>SINGLE</data-model><access-control>X</access-control>"
    const block = (attributes: string) =>
      `<required-kinds><kind-block><kind ${attributes}>${kind}</kind></kind-block></required-kinds>`
    refused(minimal(block('name="WHATEVER"')), /the Kind WHATEVER/)
    refused(minimal(block("")), /<kind> has no id/)
    assert.equal(parseConfiguration(minimal(block('id="4026531842"'))).configuration.kinds[0]?.id, 0xf0000002)
  })

  test("names line and value of what is nonsense", () => {
    refused(minimal("\n\n<initial-ttl>300</initial-ttl>"), /line 7: <initial-ttl> is "300".*from 1 to 255/)
    refused(minimal("<no-ice>yes</no-ice>"), /line 5: <no-ice> is "yes"/)
    refused(minimal("<bad-node>12</bad-node>"), /line 5: "12" is not 32 hexadecimal digits/)
    refused(minimal("<root-cert>*</root-cert>"), /line 5: <root-cert> does not hold base64/)
    refused(minimal('<bootstrap-node address="x" port="0"/>'), /port is "0"/)
    refused(minimal("<initial-ttl>3</initial-ttl><initial-ttl>4</initial-ttl>"), /stands twice/)
    refused(minimal("<node-id-length>20</node-id-length>"), /from 16 to 16/)
    refused(minimal("", ""), /no instance-name/)
    refused(overlay(""), /there is no <configuration>/)
    refused("<a/>", /<a> is not the <overlay>/)
    refused('<configuration instance-name="a"/>', /is not the <overlay>/)
  })

  test("refuses hostile documents without expanding or holding anything", () => {
    refused(`<!DOCTYPE x [<!ENTITY a "aa">]>${minimal("")}`.replace(/<\?xml.*\n/, ""), /document type/)
    refused(minimal("&lol;"), /entity/)
    refused(minimal("<a>".repeat(200) + "</a>".repeat(200)), /nested more than/)
    refused(minimal("<a/>".repeat(20_000)), /more than \d+ elements/)
    refused(minimal(" ".repeat(2_000_000)), /over \d+ characters/)
    refused(minimal("<x:y/>"), /unbound/)
    refused(minimal("<a></b>"), /line 5/)
    refused(minimal('<a b="1" b="2"/>'), /duplicate attribute/)
    refused(minimal("\u0001"), /disallowed character/)
    refused(minimal("").slice(0, -15), /unclosed/)
    refused(minimal("").replace("UTF-8", "UTF-16"), /UTF-16 is not UTF-8/)
    refused("", /must contain a root element|no element/)
  })
})
