/** Of the options of a bench, as `parseArgs` gives them: a whole number of at least 1. Ends the process where it is none. */
export function wholeNumber<Option extends string>(
  values: Readonly<Record<Option, string>>,
  option: Option,
): number {
  const number = Number(values[option])
  if (Number.isInteger(number) && number >= 1) return number
  console.error(`--${option}: "${values[option]}" is no whole number of at least 1; give one`)
  process.exit(2)
}
