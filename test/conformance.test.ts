/**
 * This library in the conformance suite, as server and as client. The cases, the driver and their own tests are in
 * `test/conformance/`.
 */
import { suite } from "./conformance/suite.ts"
import { effect } from "./conformance/targets/effect.ts"

suite(effect)
