import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, describe, test } from "node:test"
import { Kills } from "../../bench/kills/kills.ts"
import { tear, unsynced } from "../../bench/kills/torn-writes.ts"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { missing, removeDirectory, temporaryDirectory } from "./support/programs.ts"

// What strace 6.1 says of two threads and two files.
const LOG = `
7 pwrite64(27</d/records.db-wal>, "\\0\\0\\0\\1"..., 24, 32) = 24
7 pwrite64(27</d/records.db-wal>, "SQLite format 3\\0 = 9"..., 4096, 56) = 4096
7 fsync(27</d/records.db-wal>)          = 0
7 pwrite64(26</d/records.db>, "\\0"..., 4096, 8192) = 4096
7 pwrite64(27</d/records.db-wal>, "\\0\\0\\0\\2"..., 24, 4152) = 24
7 pwrite64(27</d/records.db-wal>, "\\n\\0"..., 4096, 4176 <unfinished ...>
8 fsync(26</d/records.db> <unfinished ...>
7 <... pwrite64 resumed>)               = 4096
7 fsync(27</d/records.db-wal> <unfinished ...>
8 +++ killed by SIGKILL +++
7 +++ killed by SIGKILL +++
`

test("bytes are on disk when an fsync after them has come back, and not before", () => {
  assert.deepEqual(unsynced(LOG), [
    { file: "/d/records.db", start: 8192, end: 12288 },
    { file: "/d/records.db-wal", start: 4152, end: 4176 },
    { file: "/d/records.db-wal", start: 4176, end: 8272 },
  ])
  assert.deepEqual(
    unsynced('7 pwrite64(3</d/wal>, ""..., 5, 10) = 5\n7 fsync(3</d/wal>) = -1 EIO (Input/output error)\n'),
    [{ file: "/d/wal", start: 10, end: 15 }],
  )
  assert.deepEqual(unsynced('7 pwrite64(3</d/wal>, ""..., 5, 10 <unfinished ...>) = ?\n'), [
    { file: "/d/wal", start: 10, end: 15 },
  ])
})

test("a loss of power touches no byte that was synced, and garbles or cuts off the others", async () => {
  const directory = temporaryDirectory()
  const file = join(directory, "wal")
  const written = Buffer.alloc(10_000, "x")
  let cut = 0
  let garbled = 0
  for (let seed = 0; seed < 50; seed++) {
    writeFileSync(file, written)
    const ranges = [
      { file, start: 1_000, end: 3_000 },
      { file, start: 8_000, end: 10_000 },
    ]
    const gone = tear(file, ranges, new SeededRandom(seed))
    const left = readFileSync(file)
    assert.ok(left.length >= 8_000 && left.length <= 10_000)
    for (const [start, end] of [
      [0, 1_000],
      [3_000, 8_000],
    ] as const)
      assert.ok(
        left.subarray(start, end).equals(written.subarray(start, end)),
        `seed ${seed}: ${start} to ${end}`,
      )
    if (left.length < 10_000) cut++
    if (!left.equals(written.subarray(0, left.length))) garbled++
    assert.equal(gone > 0, left.length < 10_000 || !left.equals(written))
  }
  assert.ok(cut > 10 && cut < 40 && garbled > 40, `${cut} times cut, ${garbled} times garbled`)
  await removeDirectory(directory)
})

// `npm run kills -- --torn` in small.
describe("three nodes that lose power at random moments while users are written", {
  skip: missing("strace"),
}, () => {
  const kills = new Kills({ seed: 2, kills: 10, torn: true, full: false, say: () => undefined })
  after(() => kills.end())

  test("lose no user whose writing was acknowledged, though their files are torn", async (context) => {
    const { lost, acknowledged, torn } = await kills.run()
    context.diagnostic(
      `${acknowledged} acknowledged, ${lost.length} lost; ${torn.kills} torn, ${torn.bytes} bytes`,
    )
    assert.deepEqual(lost, [])
    assert.ok(acknowledged >= 30, `writers got through: ${acknowledged}`)
    assert.ok(torn.kills > 0, "kills fell into writes")
  })
})
