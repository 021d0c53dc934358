import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { readForm, writeForm } from "./multipart.ts"

const latin1 = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"))

test("a form as RFC 7578 shows it is read, binary values whole", () => {
  const body = latin1(
    [
      "preamble",
      "--AaB03x",
      'content-disposition: form-data; name="username"',
      "",
      "Joe",
      "--AaB03x",
      "Content-Type: application/pkcs10",
      'Content-Disposition: form-data; filename="x.csr"; name="csr"',
      "",
      "\x00\xff\r\n--AaB03\r\n",
      "--AaB03x--",
      "epilogue",
    ].join("\r\n"),
  )
  for (const contentType of [
    "multipart/form-data; boundary=AaB03x",
    'Multipart/Form-Data;charset=utf-8; boundary="AaB03x"',
  ]) {
    assert.deepEqual(
      readForm({ contentType, body }),
      new Map([
        ["username", latin1("Joe")],
        ["csr", latin1("\x00\xff\r\n--AaB03\r\n")],
      ]),
    )
  }
})

test("what is written is read", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      const form = writeForm([
        { name: "a", value: a },
        { name: "b", type: "application/x", value: b },
      ])
      assert.deepEqual(
        readForm(form),
        new Map([
          ["a", a],
          ["b", b],
        ]),
      )
    }),
  )
})

test("what is cut short, too much, or no form is none", () => {
  const { contentType, body } = writeForm([{ name: "a", value: latin1("x") }])
  for (let length = 0; length < body.length - 4; length++) {
    assert.equal(readForm({ contentType, body: body.subarray(0, length) }), undefined)
  }
  assert.equal(readForm({ contentType: "text/plain", body }), undefined)
  assert.equal(
    readForm(
      writeForm([
        { name: "a", value: body },
        { name: "a", value: body },
      ]),
    ),
    undefined,
  )
  const many = Array.from({ length: 50 }, (_, i) => ({ name: String(i), value: body }))
  assert.equal(readForm(writeForm(many)), undefined)
})
