/**
 * Whether a close code may stand in a close frame (RFC 6455 §7.4): 1000–1003 and 1007–1014 as registered,
 * 3000–3999 for libraries, 4000–4999 for applications. 1004–1006 and 1015 never travel.
 */
export const isWireCloseCode = (code: number): boolean =>
  Number.isInteger(code) &&
  ((code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999))

/** Longest reason in bytes: a control frame holds 125, two of them for the code (RFC 6455 §5.5). */
export const maxReasonSize = 123
