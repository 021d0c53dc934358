import type { Cryptography } from "../identity/certificate.ts"
import { decode, encode, opaque, struct, text, u8, u16, u32, type Value } from "../wire/codec.ts"
import { extensible, versioned } from "./versioned.ts"

// The value of Kind SUBSCRIBER: digest secrets, which the peers that store them cannot read.

/** Secrets of one user, HA1 in hexadecimal. RFC 7616 §3.4.2. */
export type Secrets = Value<typeof Secrets>
const Secrets = versioned(1, extensible(u16, struct({ md5: text(u8), sha256: text(u8) })))

/** `epoch` names the fabric key that `sealed` is sealed with. */
const Sealed = versioned(1, extensible(u16, struct({ epoch: u32, sealed: opaque(u16) })))

export interface FabricKey {
  readonly epoch: number
  /** 32 bytes. */
  readonly key: Uint8Array
}

/** Sealed to the name, so that nobody can put one user's secrets under another's name. */
const context = (name: string) => `carillon subscriber ${name}`

export function sealSubscriber(
  cryptography: Cryptography,
  fabricKey: FabricKey,
  name: string,
  secrets: Secrets,
): Uint8Array {
  const sealed = cryptography.seal(fabricKey.key, encode(Secrets, secrets), context(name))
  return encode(Sealed, { epoch: fabricKey.epoch, sealed })
}

/** The secrets, or one sentence on why they cannot be read. Throws DecodeError on nonsense. */
export function unsealSubscriber(
  cryptography: Cryptography,
  fabricKeys: readonly FabricKey[],
  name: string,
  value: Uint8Array,
): Secrets | string {
  const { epoch, sealed } = decode(Sealed, value, "Subscriber")
  const fabricKey = fabricKeys.find((key) => key.epoch === epoch)
  if (fabricKey === undefined) return `this node has no fabric key of epoch ${epoch}; enrol it again`
  const plain = cryptography.unseal(fabricKey.key, sealed, context(name))
  if (plain === undefined)
    return `the record of ${name} was not sealed with this fabric's key of epoch ${epoch}`
  return decode(Secrets, plain, "Secrets")
}
