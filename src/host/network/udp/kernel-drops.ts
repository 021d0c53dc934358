/**
 * Datagrams thrown away by the kernel, of all sockets on a local port, in the text of /proc/net/udp or udp6.
 * Undefined where there is no such socket.
 */
export function dropsOfPort(table: string, port: number): number | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  let drops: number | undefined
  for (const line of table.split("\n").slice(1)) {
    const columns = line.trim().split(/\s+/)
    if (columns[1]?.endsWith(suffix)) drops = (drops ?? 0) + Number(columns.at(-1))
  }
  return drops
}
