#!/usr/bin/env node
// `require` loads the bundle faster than `import`, which reads the whole file to find the names that it exports.
import { createRequire } from "node:module"

createRequire(import.meta.url)("../dist/wscat.cjs")
