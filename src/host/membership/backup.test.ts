import assert from "node:assert/strict"
import { test } from "node:test"
import { type Backup, BackupError, openBackup, sealBackup } from "./backup.ts"

const backup: Backup = {
  secrets: { rootKey: "the root's key", root: "r", signerKey: "k", signer: "s", nodes: "n" },
  document: "<overlay/>",
  fabricKeys: [{ epoch: 1, key: new Uint8Array(32).fill(7) }],
  records: [{ kind: "certificate", fingerprint: "f1", der: Uint8Array.of(0x30, 0) }],
}

const refused = (attempt: Promise<unknown>, message: RegExp) =>
  assert.rejects(attempt, (cause) => cause instanceof BackupError && message.test(cause.message))

test("a backup opens by its passphrase alone, and hides what is in it", async () => {
  const sealed = await sealBackup(backup, "a long passphrase")
  assert.deepEqual(await openBackup(sealed, "a long passphrase"), backup)
  assert.ok(!Buffer.from(sealed).includes("root's key"))
  await refused(openBackup(sealed, "a long passphrasf"), /passphrase is another/)
  assert.notDeepEqual(await sealBackup(backup, "a long passphrase"), sealed, "each has its own salt")
})

test("an umlaut is the same however the keyboard composes it", async () => {
  const sealed = await sealBackup(backup, "schl\u00fcssel zum haus")
  assert.deepEqual(await openBackup(sealed, "schlu\u0308ssel zum haus"), backup)
})

test("a backup with any byte changed, or cut short, is refused", async () => {
  const sealed = await sealBackup(backup, "a long passphrase")
  for (const at of [20, 40, 60, sealed.length - 1]) {
    const changed = sealed.slice()
    changed[at]! ^= 1
    await refused(openBackup(changed, "a long passphrase"), /changed or cut short/)
  }
  await refused(openBackup(sealed.subarray(0, -1), "a long passphrase"), /cut short/)
  for (const other of [new Uint8Array(), sealed.subarray(0, 50), new Uint8Array(100)])
    await refused(openBackup(other, "a long passphrase"), /no backup of Carillon/)
})
