import { program } from "./program.ts"

/** Builds the command line once, before any test starts: workers that build at the same time get in each other's way. */
export default (): void => {
  program()
}
