/** Hashes by OpenSSL, for tests of the core that want real ones. */
export { openSslHashes } from "../../src/sim/hashes.ts"
