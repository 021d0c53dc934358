/** An IP literal (IPv6 without brackets) and a port. Names are resolved before they come here. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** `192.0.2.1:5060`, `[2001:db8::1]:5060`. */
export const formatAddress = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

export const sameAddress = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port
