/** Frame opcodes, RFC 6455 §5.2. Bit 3 marks a control frame. */
export const Opcode = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa
} as const

/** Reserved bit RSV1 as decoders and encoders count it; it marks a compressed message (RFC 7692 §6). */
export const rsv1 = 4
