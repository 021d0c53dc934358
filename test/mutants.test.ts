import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { MUTANTS, misplaced } from "../bench/mutants/list.ts"

for (const mutant of MUTANTS)
  test(`there is a line for the planted bug, and a test to be tried first: ${mutant.bug}`, () => {
    assert.equal(misplaced(mutant, readFileSync(mutant.file, "utf8")), undefined)
    assert.ok(existsSync(mutant.near), mutant.near)
    assert.notEqual(mutant.instead, mutant.line)
  })
