/** The characters of HTTP that a handshake may contain. */

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const fieldValuePattern = /^[\t\x20-\x7e\x80-\xff]*$/

/** One character of a token, RFC 9110 §5.6.2, as the inside of a class in a regular expression. */
export const tokenCharacters = "!#$%&'*+.^_`|~0-9A-Za-z-"

const tokenCodes = new Uint8Array(128)
for (let code = 0; code < 128; code++) {
  if (tokenPattern.test(String.fromCharCode(code))) tokenCodes[code] = 1
}

export const isTokenCode = (code: number): boolean => tokenCodes[code] === 1

/** RFC 9110 §5.6.2: the form of header names, subprotocols and extension names. */
export const isToken = (text: string): boolean => tokenPattern.test(text)

/** RFC 9110 §5.5: no control character but the tab, so that no line can be broken; one byte a character. */
export const isFieldValue = (text: string): boolean => fieldValuePattern.test(text)
