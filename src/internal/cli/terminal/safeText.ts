/** Text of a peer, made safe for a terminal. */

/**
 * Control characters, line feeds and tabs aside, and characters that change the direction of text or have no width. The
 * first alternative is the joiner inside an emoji, which stays.
 */
const unsafe =
  // oxlint-disable-next-line no-control-regex no-misleading-character-class
  /((?<=[\p{Extended_Pictographic}\u{1f3fb}-\u{1f3ff}\ufe0f])\u200d(?=\p{Extended_Pictographic}))|[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

/**
 * Replaces what would move the cursor, change the state of a terminal, or make text look like other text: control
 * characters by pictures, other characters by their code.
 */
export const harmless = (text: string): string =>
  text.replaceAll(unsafe, (character: string, joiner: string | undefined) => {
    if (joiner !== undefined) return joiner
    const code = character.codePointAt(0) ?? 0
    if (code < 0x20) return String.fromCharCode(0x2400 + code)
    if (code === 0x7f) return "␡"
    if (code < 0x100) return `\\x${code.toString(16)}`
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`
  })

/** Text that must stay on its line. */
export const oneLine = (text: string): string => harmless(text.replaceAll("\n", "␊"))

const unicodeEscape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`

/** A value as one line of JSON, with escapes for all characters that are not harmless on a terminal. */
export const jsonLine = (value: object): string =>
  `${JSON.stringify(value).replaceAll(
    unsafe,
    (character: string, joiner: string | undefined) => joiner ?? character.split("").map(unicodeEscape).join("")
  )}\n`
