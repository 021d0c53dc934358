/** Whose users all servers under test serve. */
export const DOMAIN = "bench.test"
