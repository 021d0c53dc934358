import assert from "node:assert/strict"
import { test } from "node:test"
import { readUserFile } from "./user-file.ts"

const read = (text: string) => readUserFile(text, "example.org")
const problems = (text: string) => read(text).bad.map(({ line, problem }) => `${line} ${problem}`)

test("lines are name and password; quotes, BOM, CRLF and empty lines are taken as spreadsheets write them", () => {
  const { users, bad } = read(
    '\uFEFFalice,one\r\n"bob","two,""2"""\r\n\r\n carol , three \n1001@example.org,four\n',
  )
  assert.deepEqual(bad, [])
  assert.deepEqual(users, [
    { name: "alice", password: "one" },
    { name: "bob", password: 'two,"2"' },
    { name: "carol", password: "three" },
    { name: "1001@example.org", password: "four" },
  ])
})

test("each bad line is told with its number and the reason", () => {
  assert.deepEqual(problems("a,b,c"), ["1 has 3 fields; write name,password and quote what holds a comma"])
  assert.deepEqual(problems('a,"open'), ['1 has a quote that does not end: write "" for a quote inside'])
  assert.deepEqual(problems("a,b\na@example.org,c"), ['2 "a" stands on line 1 already'])
  assert.match(problems("bob@example.com,x")[0]!, /^1 name "bob@example.com" is not in this fabric's domain/)
  assert.deepEqual(problems("bob,"), ['1 the password of "bob" is empty'])
  assert.match(problems("node-7,x")[0]!, /reserved/)
  assert.match(problems("name,password\nalice,x")[0]!, /^1 looks like a header/)
})

test("an error never shows a password", () => {
  for (const line of ["al ice,hunter2", "a,hunter2,c", 'a,"hunter2', "a,hunter2\nb,hunter2\u0007"])
    assert.doesNotMatch(problems(line).join(), /hunter2/)
})

test("a password may hold a quote inside, and a line may end in a quoted field", () => {
  assert.deepEqual(read('alice,a"b').users, [{ name: "alice", password: 'a"b' }])
})
