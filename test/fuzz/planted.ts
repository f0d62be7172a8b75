/** A fault behind six conditions, more than one change of an input can meet at once: what a guided fuzzer has to find. */
export const planted = (bytes: Buffer): void => {
  if (((bytes[0] ?? 0) & 7) !== 5) return
  if (((bytes[1] ?? 0) & 7) !== 3) return
  if (((bytes[2] ?? 0) & 7) !== 6) return
  if (((bytes[3] ?? 0) & 7) !== 1) return
  if (((bytes[4] ?? 0) & 7) !== 4) return
  if (((bytes[5] ?? 0) & 7) !== 2) return
  throw new Error("found")
}
