/**
 * FNV-1a of latin1 text, 32 bits in seven letters and digits. It tells apart what nobody tries to
 * make alike; it is no cryptography.
 */
export function checksum(latin1: string, seed = 0x811c9dc5): string {
  let hash = seed
  for (let i = 0; i < latin1.length; i++) hash = Math.imul(hash ^ latin1.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(36).padStart(7, "0")
}
