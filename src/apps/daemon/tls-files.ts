import { readFile } from "node:fs/promises"
import { createSecureContext } from "node:tls"
import { CarillonError } from "../../core/kit/errors.ts"
import type { TlsMaterial } from "../../host/kit/interface.ts"

/** A certificate or key that the operator names cannot be used. */
export class TlsFileError extends CarillonError {
  readonly code = "tls-file"
}

/** The operator's certificate for phones and its key, PEM. Throws TlsFileError, which names the file and the option. */
export async function readTlsFiles(certificatePath: string, keyPath: string): Promise<TlsMaterial> {
  const certificate = await readPem(certificatePath, "--tls-cert")
  const key = await readPem(keyPath, "--tls-key")
  const problems = [
    [`--tls-cert: ${certificatePath} holds no certificate that can be read`, { cert: certificate }],
    [`--tls-key: ${keyPath} holds no private key that can be read without a password`, { key }],
    [`--tls-key: ${keyPath} is not the key of ${certificatePath}`, { cert: certificate, key }],
  ] as const
  for (const [problem, parts] of problems) {
    try {
      createSecureContext(parts)
    } catch (cause) {
      throw new TlsFileError(`${problem}; name a certificate and its own key, both PEM`, { cause })
    }
  }
  return { certificate, key }
}

async function readPem(path: string, option: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new TlsFileError(`${option}: ${path} cannot be read (${error.code}); name a PEM file`, {
      cause: error,
    })
  })
  if (!text.includes("-----BEGIN "))
    throw new TlsFileError(`${option}: ${path} is no PEM; convert it with openssl`)
  return text
}
