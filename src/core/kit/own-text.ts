/** Longer ones are put together of parts. */
const PART = 256

/**
 * The same latin1 text in memory of its own. A part of a text keeps the whole of it alive, and one that was put together keeps all its
 * parts: whoever keeps a few words of many messages keeps copies of them.
 */
export function ownText(text: string): string {
  if (text.length > PART) return ownText(text.slice(0, PART)) + ownText(text.slice(PART))
  const codes = new Array<number>(text.length)
  for (let at = 0; at < text.length; at++) codes[at] = text.charCodeAt(at)
  return String.fromCharCode.apply(undefined, codes)
}
