export { default } from "../../../src/ws/legacy/index.ts"
