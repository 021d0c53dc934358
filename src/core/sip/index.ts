// The door `carillon/sip`: SIP messages for programs that are not Carillon. The only file of this room
// that gathers others; inside the house one imports from the file that defines.

export type { Hashes } from "../kit/crypto.ts"
export {
  type Challenge,
  type DigestAlgorithm,
  type DigestCredentials,
  type DigestInput,
  digestResponse,
  formatChallenge,
  ha1,
  parseAuthorization,
} from "./digest.ts"
export {
  callIdOf,
  contactExpiresOf,
  contactsOf,
  cseqOf,
  type DialogId,
  dialogIdOf,
  expiresOf,
  fromOf,
  maxForwardsOf,
  pathsOf,
  qOf,
  recordRoutesOf,
  routesOf,
  tagOf,
  tokensOf,
  toOf,
  topVia,
  valuesOf,
  viasOf,
} from "./fields.ts"
export { StreamFramer, type StreamUnit } from "./framing.ts"
export {
  type Contacts,
  type CSeq,
  type HeaderField,
  Headers,
  isFinal,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "./message.ts"
export { formatNameAddress, type NameAddress, nameAddress, parseNameAddress } from "./name-address.ts"
export { Parameters } from "./parameters.ts"
export { parseMessage } from "./parse.ts"
export { SipParseError } from "./parse-error.ts"
export { makeResponse, REASONS, reasonOf } from "./respond.ts"
export { serializeMessage } from "./serialize.ts"
export {
  canonicalUser,
  equalUris,
  formatUri,
  type OtherUri,
  parseSipUri,
  parseUri,
  type SipUri,
  type Uri,
} from "./uri.ts"
export { branchOf, formatVia, MAGIC_COOKIE, parseVia, type Via } from "./via.ts"
