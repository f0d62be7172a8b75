import type { Case } from "../case.ts"
import { closeHandling } from "./closing.ts"
import { compression, parameters } from "./compression.ts"
import { fragmentation } from "./fragmentation.ts"
import { framing } from "./framing.ts"
import { limits, misc } from "./limits.ts"
import { pings } from "./pings.ts"
import { reservedBits, reservedOpcodes } from "./reserved.ts"
import { utf8 } from "./utf8.ts"

export interface Section {
  readonly number: number
  readonly title: string
  readonly cases: ReadonlyArray<Case>
}

/** The case list, section by section. Sections 8 and 11 have no cases. */
export const sections: ReadonlyArray<Section> = [
  { number: 1, title: "framing", cases: framing },
  { number: 2, title: "pings and pongs", cases: pings },
  { number: 3, title: "reserved bits", cases: reservedBits },
  { number: 4, title: "reserved opcodes", cases: reservedOpcodes },
  { number: 5, title: "fragmentation", cases: fragmentation },
  { number: 6, title: "UTF-8", cases: utf8 },
  { number: 7, title: "closing", cases: closeHandling },
  { number: 9, title: "limits", cases: limits },
  { number: 10, title: "automatic fragmentation", cases: misc },
  { number: 12, title: "compression", cases: compression },
  { number: 13, title: "compression parameters", cases: parameters }
]

export const allCases: ReadonlyArray<Case> = sections.flatMap((section) => section.cases)
