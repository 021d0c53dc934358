import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../src/sim/hashes.ts"
import type { Story } from "../../src/sim/hunt/story.ts"
import { play } from "../../src/sim/hunt/tell.ts"

/** Stories that once went wrong, made small, each by what ought to be. `npm run hunt` finds more. */
const FOUND: readonly (Story & { readonly title: string })[] = [
  {
    title: "what a full disk did not take is not called complete, and is there once the disk has room",
    seed: 2,
    peers: 2,
    fullMeshLimit: 256,
    steps: [
      { do: "full-disk", who: 54, seconds: 6 },
      { do: "write", who: 18, name: "n2", text: "w24" },
      { do: "wait", seconds: 1 },
    ],
  },
  {
    title: "a place all of whose holders have died is one that holds nothing, a minute later",
    seed: 5047,
    peers: 6,
    fullMeshLimit: 4,
    steps: [
      { do: "crash", who: [27, 52, 13], how: "silent", torn: 1 },
      { do: "write", who: 9, name: "n5", text: "w10" },
      { do: "crash", who: [15, 2], how: "reset", torn: 0 },
    ],
  },
  {
    title: "the last two of seven know in the end what nobody has any more",
    seed: 5049,
    peers: 7,
    fullMeshLimit: 4,
    steps: [
      { do: "write", who: 3, name: "n5", text: "w1" },
      { do: "write", who: 25, name: "n3" },
      { do: "crash", who: [57, 53], how: "silent", torn: 0 },
      { do: "crash", who: [0, 21, 7], how: "reset", torn: 0 },
    ],
  },
  {
    title: "a peer that has only just come is not the one that is left",
    seed: 5058,
    peers: 9,
    fullMeshLimit: 256,
    steps: [
      { do: "crash", who: [24], how: "silent", torn: 0.5 },
      { do: "crash", who: [46], how: "silent", torn: 0 },
      { do: "crash", who: [17], how: "reset", torn: 0 },
      { do: "crash", who: [46, 38, 9, 5], how: "reset", torn: 1 },
      { do: "join" },
      { do: "crash", who: [61], how: "silent", torn: 1 },
      { do: "crash", who: [14], how: "reset", torn: 1 },
    ],
  },
  {
    title: "a ring that has not yet noticed how it was parted is not taken for one at rest",
    seed: 5093,
    peers: 8,
    fullMeshLimit: 3,
    steps: [
      { do: "wait", seconds: 11 },
      { do: "join" },
      { do: "part", every: 2, seconds: 3, flaps: 3 },
      { do: "wait", seconds: 0.9 },
    ],
  },
  {
    title: "a node whose clock is set back to before its start says that it has been up for no time",
    level: "nodes",
    seed: 163,
    peers: 4,
    fullMeshLimit: 256,
    steps: [
      { do: "leave", who: 59 },
      { do: "skew", who: 54, milliseconds: -1335 },
    ],
  },
  {
    title: "a phone that is moved from node to node before it is known as a user registers in the end",
    level: "nodes",
    seed: 26,
    peers: 4,
    fullMeshLimit: 256,
    steps: [
      { do: "write", who: 11, name: "n5", text: "w5" },
      { do: "register", who: 60, name: "n2" },
      { do: "register", who: 54, name: "n3" },
      { do: "register", who: 6, name: "n3" },
      { do: "register", who: 13, name: "n3" },
      { do: "write", who: 0, name: "n3", text: "w30" },
    ],
  },
  {
    title: "what a full disk did not forget is forgotten once the disk has room",
    seed: 70045,
    peers: 14,
    fullMeshLimit: 4,
    steps: [
      { do: "write", who: 40, name: "n0" },
      { do: "write", who: 7, name: "n2" },
      { do: "full-disk", who: 44, seconds: 5 },
      { do: "wait", seconds: 2.9 },
      { do: "wait", seconds: 1.5 },
      { do: "full-disk", who: 56, seconds: 2 },
      { do: "wait", seconds: 21 },
    ],
  },
  {
    title:
      "what a node that was cut off from all others was told, and took with it when it left, is not looked for",
    level: "nodes",
    seed: 70176,
    peers: 4,
    fullMeshLimit: 256,
    steps: [
      { do: "part", every: 4, seconds: 17, flaps: 1 },
      { do: "join" },
      { do: "leave", who: 4 },
      { do: "write", who: 32, name: "n0", text: "w19" },
      { do: "wait", seconds: 2.2 },
      { do: "leave", who: 44 },
    ],
  },
  ...[4, 256].map((fullMeshLimit) => ({
    title: `a removal that a dead peer has missed stays a removal when it comes back, limit ${fullMeshLimit}`,
    seed: 1,
    peers: 4,
    fullMeshLimit,
    steps: [
      { do: "write", who: 1, name: "n1", text: "a" },
      { do: "wait", seconds: 1 },
      { do: "crash", who: [1], how: "silent", torn: 0 },
      { do: "wait", seconds: 5 },
      { do: "write", who: 1, name: "n1" },
      { do: "wait", seconds: 2 },
      { do: "restart", who: 0, disk: "kept" },
      { do: "wait", seconds: 3 },
      { do: "read", who: 2, name: "n1" },
      { do: "wait", seconds: 1 },
    ] as const,
  })),
]

for (const { title, ...story } of FOUND)
  test(`found once: ${title}`, () => assert.equal(play(story, openSslHashes), undefined))
