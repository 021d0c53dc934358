// The door `carillon/reload`: RFC 6940's messages, stored data, signatures and configuration document for
// programs that are not Carillon. The only file of this room that gathers others; inside the house one
// imports from the file that defines.

export type { AlgorithmNumbers, Certificate, Cryptography, Identity } from "../identity/certificate.ts"
export { NodeId, parseNodeId } from "../identity/node-id.ts"
export { type Codec, decode, encode, type Value } from "../wire/codec.ts"
export { DecodeError } from "../wire/decode-error.ts"
export { AttachReqAns, IceCandidate } from "./attach.ts"
export { ErrorCode, type ErrorName, MessageCode } from "./codes.ts"
export type { Configuration, KindDescription } from "./configuration.ts"
export { type ConfigurationDocument, parseConfiguration } from "./configuration-document.ts"
export { type ConfigurationTrust, verifyConfiguration } from "./configuration-signature.ts"
export { writeConfiguration } from "./configuration-writer.ts"
export { Reassembly, splitMessage } from "./fragments.ts"
export {
  Destination,
  type ForwardingHeader,
  ForwardingOption,
  parseResourceId,
  ResourceId,
  TransactionId,
} from "./header.ts"
export {
  type MessageBody,
  MessageContents,
  type MessageName,
  overlayHash,
  type ReadHeader,
  type ReadPayload,
  readHeader,
  readPayload,
  resourceIdOf,
  writeMessage,
} from "./message.ts"
export { REGISTERED_KINDS, type RegisteredKind } from "./registered-kinds.ts"
export { GenericCertificate, SecurityBlock, Signature, SignerIdentity } from "./security.ts"
export {
  type MessageToSign,
  type MessageToVerify,
  type Refused,
  signMessage,
  signValue,
  type ValueToSign,
  type ValueToVerify,
  verifyMessage,
  verifyValue,
} from "./signing.ts"
export {
  type DataModel,
  FetchAns,
  FetchReq,
  KindId,
  StoreAns,
  type StoredData,
  StoredDataSpecifier,
  type StoredMetaData,
  type StoredValue,
  StoreReq,
  storedData,
  storedDataList,
  storedMetaData,
} from "./stored-data.ts"
